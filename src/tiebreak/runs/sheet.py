"""Runs as a spreadsheet: one row a run, with the settings that differ, the figures before and after, and the time.

Knows CSV and Excel's format. Text that a spreadsheet would run as a formula is marked as text.
"""

from __future__ import annotations

import csv
import io
import json
import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tiebreak.errors import InputError, RunError
from tiebreak.files import flush_folder, write_text
from tiebreak.runs.compare import METRICS
from tiebreak.runs.entries import as_number, entry

if TYPE_CHECKING:
    from tiebreak.runs.compare import Comparison
    from tiebreak.runs.folder import RunFolder

Cell = str | int | float | bool | None

ENDINGS = (".csv", ".xlsx")
# What a formula begins with, their full-width twins included, which some programs take for them.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_NONE = "\ufffe\uffff"  # no characters, and refused by XML
_WIDEST = 60  # characters of a column


@dataclass(frozen=True)
class Sheet:
    """A table of results.

    Attributes:
        headings: of the columns.
        rows: one for each run, as long as `headings`; None is an empty cell.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def sheet_of(comparison: Comparison, runs: Sequence[RunFolder]) -> Sheet:
    """Runs that were compared, as a table.

    Args:
        comparison: of these runs.
        runs: in the same order.
    Returns:
        Columns for the name, the status, every setting that differs, the final figures as `before/…` and `after/…`,
        and the seconds of training and of the whole run.
    """
    names = [run.name for run in comparison.runs]
    if len(set(names)) < len(names):
        names = [run.path for run in comparison.runs]
    columns: dict[str, Sequence[Cell]] = {"run": names, "status": [run.status for run in comparison.runs]}
    for setting in comparison.settings:
        columns[setting.key] = [_setting(value) for value in setting.values]
    figures = [_figures(run.manifest()) for run in runs]
    for name in _in_order(figures):
        columns[name] = [each.get(name) for each in figures]
    return Sheet(tuple(columns), tuple(zip(*columns.values(), strict=True)))


def _setting(value: Any) -> Cell:
    return value if value is None or isinstance(value, str | bool | int | float) else json.dumps(value)


def _figures(manifest: Mapping[str, Any]) -> dict[str, float]:
    """Final figures and times of a run, by column; what was not measured is not there."""
    found: dict[str, object] = {}
    for side in ("before", "after"):
        metrics = entry(manifest, side)
        found |= {f"{side}/{name}": value for name, value in metrics.items()} if isinstance(metrics, Mapping) else {}
        found[f"{side}/judge.pass_rate"] = entry(manifest, "judge", side, "pass_rate")
    found["judge.win_rate"] = entry(manifest, "judge", "win_rate", "value")
    timings = entry(manifest, "timings")
    seconds = {name: as_number(value) for name, value in timings.items()} if isinstance(timings, Mapping) else {}
    found["train_seconds"] = seconds.get("train")
    known = [value for value in seconds.values() if value is not None]
    found["total_seconds"] = round(sum(known), 2) if known else None
    numbers = {name: as_number(value) for name, value in found.items()}
    return {name: value for name, value in numbers.items() if value is not None and math.isfinite(value)}


def _in_order(figures: Sequence[Mapping[str, float]]) -> list[str]:
    """The names of all figures: each metric before and after side by side, the main ones first, times last."""
    names = list(dict.fromkeys(name for each in figures for name in each))
    others = (name.partition("/")[2] for name in names if name.startswith(("before/", "after/")))
    metrics = dict.fromkeys((*(name for name, _, _ in METRICS), *others))
    pairs = [f"{side}/{metric}" for metric in metrics for side in ("before", "after")]
    rest = [name for name in names if name not in pairs]
    return [name for name in pairs if name in names] + sorted(rest, key=lambda name: name.endswith("_seconds"))


def check_sheet(path: Path, *, force: bool = False) -> None:
    """Refuse a file before any work is done.

    Args:
        path: of the spreadsheet.
        force: a file that exists may be replaced.
    Raises:
        InputError: its ending is none that is written, it exists, its folder does not, or a package is missing.
    """
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"'{path}' is no spreadsheet.", where="--out", fix=f"write {' or '.join(ENDINGS)}")
    if path.is_dir():
        raise InputError(f"'{path}' is a folder.", where="--out", fix="name a file in it")
    if not path.parent.is_dir():
        raise InputError(f"There is no folder '{path.parent}'.", where="--out", fix="make it first, or name another")
    if path.exists() and not force:
        raise InputError(f"The file '{path}' exists.", where="--out", fix="choose another name, or add --force")
    if path.suffix.lower() == ".xlsx" and find_spec("openpyxl") is None:
        raise InputError(
            "Excel's format needs openpyxl, which is not installed.",
            where=str(path),
            fix='pip install "tiebreak[sheet]", or write a .csv file',
        )


def write_sheet(sheet: Sheet, path: Path, *, force: bool = False) -> None:
    """Write a table; the file is there whole or not at all.

    Args:
        sheet: the table.
        path: ends in `.csv` or `.xlsx`.
        force: replace a file that exists.
    Raises:
        InputError: the file is refused (see `check_sheet`).
        RunError: the disk does not take it.
    """
    check_sheet(path, force=force)
    try:
        if path.suffix.lower() == ".csv":
            write_text(path, _csv(sheet))
        else:
            _write_workbook(sheet, path)
    except OSError as error:
        raise RunError(
            f"The spreadsheet cannot be written: {error.strerror or error}.",
            where=str(path),
            fix="make room, or name another file",
        ) from None


def _csv(sheet: Sheet) -> str:
    """Rows of text; a formula is made text by an apostrophe before it, since CSV has no types."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    for row in (sheet.headings, *sheet.rows):
        cells = [_plain(cell) for cell in row]
        writer.writerow([f"'{cell}" if _is_formula(cell) else cell for cell in cells])
    return lines.getvalue()


def _write_workbook(sheet: Sheet, path: Path) -> None:
    from openpyxl import Workbook  # type: ignore[import-untyped]
    from openpyxl.styles import Font  # type: ignore[import-untyped]
    from openpyxl.utils import get_column_letter  # type: ignore[import-untyped]

    book = Workbook()
    page = book.active
    page.title = "runs"
    for number, row in enumerate((sheet.headings, *sheet.rows), start=1):
        for column, value in enumerate(map(_plain, row), start=1):
            cell = page.cell(number, column, value)
            if isinstance(value, str):
                cell.data_type = "s"  # text, also where it begins as a formula does
                cell.quotePrefix = _is_formula(value)  # and it stays text when somebody edits it
    for cell in page[1]:
        cell.font = Font(bold=True)
    for column, cells in enumerate(zip(sheet.headings, *sheet.rows, strict=True), start=1):
        page.column_dimensions[get_column_letter(column)].width = min(_WIDEST, _longest(cells) + 2)
    page.freeze_panes = "B2"
    with TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        made = Path(folder) / path.name
        book.save(made)
        flush_folder(made.parent)
        made.replace(path)


def _longest(cells: Iterable[Cell]) -> int:
    return max(len(f"{cell:.6g}" if isinstance(cell, float) else str(cell)) for cell in cells if cell is not None)


def _plain(cell: Cell) -> Cell:
    """Text without characters that steer a program or that Excel's format cannot hold."""
    if not isinstance(cell, str):
        return cell
    return "".join(" " if unicodedata.category(each) in ("Cc", "Cs") or each in _NONE else each for each in cell)


def _is_formula(cell: Cell) -> bool:
    return isinstance(cell, str) and cell.lstrip().startswith(_FORMULA)
