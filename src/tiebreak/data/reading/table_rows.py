"""Rows of tables: CSV files with a header, Parquet and Arrow files.

Knows the three forms of files and nothing of columns. CSV rows are counted from the first below the header, and one may
span lines; cells are parted by commas, semicolons or tabs, whichever the header has most of. Parquet and Arrow are read
batch by batch.
"""

from __future__ import annotations

import csv
import itertools
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from tiebreak.data.reading.rows import OnBad, Row, quoted
from tiebreak.data.reading.streams import BOM, DAMAGE, ByteStream, damaged, decoded, lines, magic
from tiebreak.errors import InputError

_BATCH = 500
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "upright strokes"}


def read_csv(stream: ByteStream, on_bad: OnBad) -> Iterator[Row]:
    """Rows of a `.csv` or `.tsv` file with a header; cells are text, and an empty cell is null."""
    csv.field_size_limit(1 << 30)
    doubtful: list[InputError] = []

    def text() -> Iterator[str]:
        for number, line in lines(stream, on_bad):
            if number == 1:
                line = line.removeprefix(BOM)
                if magic(line):
                    raise InputError(f"The file holds {magic(line)} data, not text.", where=stream.name)
            try:
                yield decoded(line, f"{stream.name}, line {number}")
            except InputError as error:
                doubtful.append(error)
                yield line.decode("utf-8", "replace")

    written = text()
    first = next(written, "")
    between = _separator(first)
    remark = None if between == "," else f"the cells are parted by {_SEPARATORS[between]}, as in the header"
    reader = csv.reader(itertools.chain([first], written), delimiter=between, strict=True)
    header: list[str] | None = None
    number = 0
    while True:
        where = f"{stream.name}:{number + 1}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            on_bad(InputError(f"The row is not CSV: {error} (line {reader.line_num}).", where=where))
            number += 1
            continue
        if doubtful:
            problem = doubtful[0]
            doubtful.clear()
            if header is None:
                raise problem
            number += 1
            on_bad(InputError(problem.what, where=where, fix=problem.fix))
            continue
        if not cells:
            continue
        if header is None:
            header = header_of(cells, stream.name)
            continue
        number += 1
        if len(cells) != len(header):
            on_bad(InputError(f"The header has {len(header)} columns, this row has {len(cells)}.", where=where))
            continue
        yield Row(where, {name: cell or None for name, cell in zip(header, cells, strict=True)}, number, remark)
        remark = None


def _separator(header: str) -> str:
    """What parts the cells of a header: what stands in it most often outside of quotes."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(_SEPARATORS, key=bare.count)


def header_of(cells: list[str], name: str) -> list[str]:
    """The names of columns, of which no two are alike.

    Raises:
        InputError: two are.
    """
    header = [cell.strip() for cell in cells]
    twice = next((cell for cell in header if cell and header.count(cell) > 1), None)
    if twice is not None:
        raise InputError(f"Two columns of the header have the same name, {quoted(twice)}.", where=name)
    return header


def read_parquet(stream: ByteStream, on_bad: OnBad) -> Iterator[Row]:
    """Rows of a `.parquet` file."""
    import pyarrow.parquet as parquet

    with seekable(stream, on_bad) as file:
        if file is None:
            return
        batches = _opened(stream.name, "Parquet", lambda: parquet.ParquetFile(file)).iter_batches(batch_size=_BATCH)
        yield from _rows(stream.name, batches, on_bad)


def read_arrow(stream: ByteStream, on_bad: OnBad) -> Iterator[Row]:
    """Rows of an `.arrow` file: the stream format that `datasets` writes, or the file format."""
    import pyarrow as pa

    with seekable(stream, on_bad) as file:
        if file is None:
            return
        as_file = file.read(6) == b"ARROW1"
        file.seek(0)
        if as_file:
            reader = _opened(stream.name, "Arrow", lambda: pa.ipc.open_file(file))
            batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
        else:
            batches = iter(_opened(stream.name, "Arrow", lambda: pa.ipc.open_stream(file)))
        yield from _rows(stream.name, batches, on_bad)


@contextmanager
def seekable(stream: ByteStream, on_bad: OnBad) -> Iterator[IO[bytes] | None]:
    """The file itself, or its decompressed copy: some formats are read by jumping about."""
    if stream.data is stream.raw:
        yield stream.raw
        return
    with tempfile.TemporaryFile() as copy:
        try:
            while chunk := stream.data.read(1 << 20):
                copy.write(chunk)
        except DAMAGE as error:
            on_bad(damaged(stream.name, 0, error))
            yield None
            return
        copy.seek(0)
        yield copy


def _opened(name: str, kind: str, opening: Any) -> Any:
    import pyarrow as pa

    try:
        return opening()
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"The file is not {kind}: {str(error).splitlines()[0].rstrip('.')}.",
            where=name,
            fix="fetch it again, or give it the extension of what it holds",
        ) from None


def _rows(name: str, batches: Iterator[Any], on_bad: OnBad) -> Iterator[Row]:
    import pyarrow as pa

    number = 0
    while True:
        try:
            batch = next(batches, None)
        except (pa.ArrowException, OSError) as error:
            on_bad(damaged(name, number, error))
            return
        if batch is None:
            return
        for start in range(0, batch.num_rows, _BATCH):
            part = batch.slice(start, _BATCH)
            # Bytes are taken on trust until now: a damaged one may be no text, or point outside the file.
            size = _BATCH if _is_sound(part) else 1
            for first in range(0, part.num_rows, size):
                piece = part.slice(first, size)
                if size == 1 and not _is_sound(piece):
                    number += 1
                    on_bad(_damaged_row(f"{name}:{number}"))
                    continue
                for values in piece.to_pylist():
                    number += 1
                    yield Row(f"{name}:{number}", values, number)


def _is_sound(batch: Any) -> bool:
    import pyarrow as pa

    try:
        batch.validate(full=True)
    except pa.ArrowException:
        return False
    return True


def _damaged_row(where: str) -> InputError:
    return InputError(
        "The row is damaged: its bytes are no UTF-8 text, or not those of its column.",
        where=where,
        fix="fetch the file again, or skip such rows with --skip-bad-rows",
    )
