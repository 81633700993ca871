"""Rows of an Excel sheet, through openpyxl: the first sheet of a workbook, its first row the names of the columns.

Knows workbooks and nothing of columns. Rows are read one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tiebreak.data.reading.rows import OnBad, Row
from tiebreak.data.reading.streams import ByteStream
from tiebreak.data.reading.table_rows import header_of, seekable
from tiebreak.errors import InputError


def read_sheet(stream: ByteStream, on_bad: OnBad) -> Iterator[Row]:
    """Rows of an `.xlsx` file; an empty cell is null.

    Raises:
        InputError: openpyxl is not installed, or the file is no workbook.
    """
    try:
        import openpyxl  # type: ignore[import-untyped]
    except ImportError:
        raise InputError(
            "Sheets need the library openpyxl.",
            where=stream.name,
            fix="pip install 'tiebreak[sheet]', or save it as .csv",
        ) from None
    with seekable(stream, on_bad) as file:
        if file is None:
            return
        try:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            sheet = book.worksheets[0]
            rows = sheet.iter_rows(values_only=True)
            first = next(rows, None)
        except Exception as error:  # openpyxl lets whatever is wrong with the archive or its XML through
            raise InputError(
                f"The file is no Excel sheet: {type(error).__name__}: {error}.", where=stream.name
            ) from error
        if first is None:
            return
        names = header_of(["" if cell is None else str(cell) for cell in first], stream.name)
        for number, cells in enumerate(rows, 1):
            values = {name: _plain(cell) for name, cell in zip(names, cells, strict=False) if name}
            if any(value is not None for value in values.values()):
                yield Row(f"{stream.name}:{number}", values, number)


def _plain(cell: Any) -> Any:
    """A cell as text, a number, a truth value or null; dates as text."""
    return cell if cell is None or isinstance(cell, str | int | float | bool) else str(cell)
