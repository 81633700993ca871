"""Rows of Parquet and Arrow files, batch by batch.

Knows the two table formats; knows nothing of columns or preferences.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from tiebreak.data.bytestreams import DAMAGE, ByteStream, damaged
from tiebreak.data.problems import OnBad
from tiebreak.data.rows import Row
from tiebreak.errors import InputError

_BATCH = 500


def read_parquet(stream: ByteStream, on_bad: OnBad) -> Iterator[Row]:
    """Rows of a `.parquet` file."""
    import pyarrow.parquet as parquet

    with _seekable(stream, on_bad) as file:
        if file is None:
            return
        batches = _opened(stream.name, "Parquet", lambda: parquet.ParquetFile(file)).iter_batches(batch_size=_BATCH)
        yield from _rows(stream.name, batches, on_bad)


def read_arrow(stream: ByteStream, on_bad: OnBad) -> Iterator[Row]:
    """Rows of an `.arrow` file: the stream format that `datasets` writes, or the file format."""
    import pyarrow as pa

    with _seekable(stream, on_bad) as file:
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
def _seekable(stream: ByteStream, on_bad: OnBad) -> Iterator[IO[bytes] | None]:
    """The file itself, or its decompressed copy: both formats are read by jumping about."""
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
            for place in range(0, part.num_rows, size):
                piece = part.slice(place, size)
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
        fix="fetch the file again, or leave such rows out with --skip-bad-rows",
    )
