"""Rows of a CSV file with a header, one at a time.

Knows CSV and nothing of columns. Rows are counted from the first below the header; a row may span lines.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator

from tiebreak.data.bytestreams import BOM, ByteStream, decoded, lines, magic
from tiebreak.data.problems import OnBad, quoted
from tiebreak.data.rows import Row
from tiebreak.errors import InputError


def read_csv(stream: ByteStream, on_bad: OnBad) -> Iterator[Row]:
    """Rows of a `.csv` file with a header; cells are text, and an empty cell is null."""
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

    reader = csv.reader(text(), strict=True)
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
            header = _header(cells, stream.name)
            continue
        number += 1
        if len(cells) != len(header):
            on_bad(InputError(f"The header has {len(header)} columns, this row has {len(cells)}.", where=where))
            continue
        yield Row(where, {name: cell or None for name, cell in zip(header, cells, strict=True)}, number)


def _header(cells: list[str], name: str) -> list[str]:
    header = [cell.strip() for cell in cells]
    twice = next((cell for cell in header if header.count(cell) > 1), None)
    if twice is not None:
        raise InputError(f"Two columns of the header have the same name, {quoted(twice)}.", where=name)
    return header
