"""Logs in tables: CSV with its kin, Excel, Markdown, HTML, and the CSV that Weights & Biases exports.

Of a page with several tables those with metrics are taken, and put together where they have the same steps: a wide
table is often shown in parts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from tiebreak.data.reading.sheet_rows import read_sheet
from tiebreak.data.reading.streams import open_bytes, text_of
from tiebreak.data.reading.table_rows import read_csv
from tiebreak.doctor.log import TrainingLog
from tiebreak.doctor.reading.markup import Table
from tiebreak.doctor.reading.names import EPOCH, STEP, canonical, named_columns
from tiebreak.doctor.reading.rows import LoggedRows
from tiebreak.errors import InputError

_EXTREME = ("__MIN", "__MAX")


def csv_log(path: Path) -> TrainingLog:
    """The log in a CSV file, its cells parted by commas, semicolons, tabs or bars.

    Raises:
        InputError: it cannot be read, or is no log of one run.
    """
    with open_bytes(path, str(path)) as stream:
        rows = [row.values for row in read_csv(text_of(stream), _refuse)]
    return _of_columns(rows, path, "table", lambda index: f"{path}, row {index + 1} below the header")


def sheet_log(path: Path) -> TrainingLog:
    """The log in the first sheet of an Excel file; errors as for `csv_log`, and where openpyxl is not installed."""
    with open_bytes(path, str(path)) as stream:
        rows = [row.values for row in read_sheet(stream, _refuse)]
    return _of_columns(rows, path, "Excel sheet", lambda index: f"{path}, row {index + 2}")


def page_log(tables: Sequence[Table], path: Path, kind: str) -> TrainingLog:
    """The log in the tables of a page.

    Args:
        tables: all that it has.
        path: of the page.
        kind: what it is, in words.
    Raises:
        InputError: none of them is a log, or several are of more than one run.
    """
    logs = []
    for table in tables:
        names = {canonical(column) for column in table.header} - {None}
        if table.rows and names - {STEP, EPOCH} and (names & {STEP, EPOCH} or len(table.rows) == 1):
            logs.append((table, _of_table(table, path, kind)))
    if not logs:
        raise InputError(
            f"None of its {len(tables)} tables has metrics of a training." if tables else "There is no table in it.",
            where=str(path),
            fix="a table has a column 'Step' or 'Epoch' beside 'Training Loss', 'Validation Loss', 'Rewards/chosen', …",
        )
    whole = logs[0][1]
    for table, log in logs[1:]:
        if log.axis != whole.axis or _places(log) != _places(whole):
            raise InputError(
                f"The tables of lines {logs[0][0].line} and {table.line} are of more than one run.",
                where=str(path),
                fix="leave the table of one run",
            )
        whole = replace(whole, curves={**log.curves, **whole.curves}, epochs=whole.epochs or log.epochs)
    return whole


def _of_table(table: Table, path: Path, kind: str) -> TrainingLog:
    header = [name if table.header.index(name) == i else f"{name} ({i + 1})" for i, name in enumerate(table.header)]
    rows = [dict(zip(header, row, strict=True)) for row in table.rows]
    return _of_columns(rows, path, kind, lambda index: f"{path}, table of line {table.line}, row {index + 1}")


def _places(log: TrainingLog) -> set[float]:
    return {at for curve in log.curves.values() for at in curve.at}


def _refuse(error: InputError) -> NoReturn:
    raise error


def _of_columns(rows: Sequence[Mapping[str, object]], path: Path, kind: str, where: object) -> TrainingLog:
    if not rows:
        raise InputError("The table has no rows.", where=str(path))
    columns = list(rows[0])
    exported = dict(_exported(columns))
    runs = Counter(run for run, _ in exported.values())
    if len(runs) > 1:
        raise InputError(
            f"The table is of {len(runs)} runs: {', '.join(sorted(runs)[:4])}.",
            where=str(path),
            fix="show one run in Weights & Biases and export it again, or leave its columns",
        )
    plain = {column: exported[column][1] if column in exported else column for column in columns}
    named = named_columns(plain.values())
    names = {column: named[text] for column, text in plain.items() if text in named}
    unread = [column for column in columns if column not in names and not column.endswith(_EXTREME)]
    kind = "export of Weights & Biases" if exported else kind
    return LoggedRows(rows, names, str(path), kind, where).log(unread=unread)  # type: ignore[arg-type]


def _exported(columns: Sequence[str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """The columns that Weights & Biases names `RUN - METRIC`, each with both; not those of the range of a point."""
    for column in columns:
        run, between, metric = column.rpartition(" - ")
        if between and not column.endswith(_EXTREME) and re.search(r"\S", run) and canonical(metric) is not None:
            yield column, (run, metric)
