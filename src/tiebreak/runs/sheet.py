"""Tables as files: CSV, Excel's, Markdown, JSON lines, Parquet; and compared runs as such a table, a row a run.

Text that a spreadsheet would run as a formula is marked as text; what would be markup in Markdown is quoted.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tiebreak.errors import InputError, RunError
from tiebreak.files import flush_folder, without_nan, write_text
from tiebreak.formatting.text import inline, table
from tiebreak.metrics import LOSS, METRICS, WIN_RATE, shown_in
from tiebreak.runs.intervals import intervals
from tiebreak.runs.metrics_file import last_value

if TYPE_CHECKING:
    from tiebreak.runs.compare import Comparison
    from tiebreak.runs.folder import RunFolder
    from tiebreak.runs.manifest import Manifest, Metrics, Side

Cell = str | int | float | bool | None

SUFFIXES = (".csv", ".xlsx", ".md", ".jsonl", ".parquet")
# What a formula begins with, their full-width twins included, which some programs take for them.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_NONE = "\ufffe\uffff"  # no characters, and refused by XML
_WIDEST = 60  # characters of a column
_LAST = ("train_seconds", "total_seconds")


@dataclass(frozen=True)
class Sheet:
    """A table of results.

    Attributes:
        headings: of the columns.
        rows: as long as `headings`; None is an empty cell.
        title: what the rows are.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = "runs"


def sheet_of(comparison: Comparison, runs: Sequence[RunFolder]) -> Sheet:
    """Runs that were compared, as a table.

    Args:
        comparison: of these runs.
        runs: in the same order.
    Returns:
        Columns for the name, the status, every setting that differs, the examples seen and held out, the final training
        loss, the final metrics as `before/…` and `after/…` with the ends of their 95% intervals, the step
        whose weights were kept, and the seconds of each part and of the whole run.
    """
    columns: dict[str, Sequence[Cell]] = {"run": comparison.names, "status": [run.status for run in comparison.runs]}
    for setting in comparison.settings:
        columns[setting.key] = [_setting(value) for value in setting.values]
    manifests = [run.load_manifest() for run in runs]
    for name, values in _counted(manifests, runs).items():
        if any(value is not None for value in values):
            columns[name] = values
    metrics = [_metrics(manifest) for manifest in manifests]
    for name in _in_order(metrics):
        columns[name] = [each.get(name) for each in metrics]
    return Sheet(tuple(columns), tuple(zip(*columns.values(), strict=True)))


def _setting(value: Any) -> Cell:
    return value if value is None or isinstance(value, str | bool | int | float) else json.dumps(value)


def _metrics(manifest: Manifest) -> dict[str, float]:
    """Final metrics and times of a run, by column; what was not measured is not there."""
    found: dict[str, float | None] = {}
    sides: dict[Side, Metrics | None] = {"before": manifest.before, "after": manifest.after}
    apart = [metric for metric in METRICS if metric.source in ("judge", "time")]
    for side, measured in sides.items():
        found |= {f"{side}/{name}": value for name, value in (measured or {}).items()}
        found |= {f"{side}/{m.recorded}": manifest.final(m.recorded, side) for m in apart if m.before}
    found |= {m.recorded: manifest.final(m.recorded) for m in apart if not m.before}
    for side in sides:
        for name, ends in intervals(manifest, side).items():
            column = name if name == WIN_RATE.recorded else f"{side}/{name}"
            found |= {f"{column} (low)": ends[0], f"{column} (high)": ends[1]}
    found |= {f"{part}_seconds": seconds for part, seconds in manifest.timings.items()}
    return {name: value for name, value in found.items() if value is not None and math.isfinite(value)}


def _in_order(metrics: Sequence[Mapping[str, float]]) -> list[str]:
    """All columns: each metric before and after side by side, the main ones first, times last."""
    names = list(dict.fromkeys(name for each in metrics for name in each))
    others = (name.partition("/")[2] for name in names if name.startswith(("before/", "after/")))
    ordered = dict.fromkeys((*(metric.recorded for metric, _ in shown_in("compare")), *others))
    pairs = [f"{side}/{metric}" for metric in ordered for side in ("before", "after")]
    pairs = [name for pair in (*pairs, WIN_RATE.recorded) for name in (pair, f"{pair} (low)", f"{pair} (high)")]
    seconds = [name for name in names if name.endswith("_seconds")]
    rest = [name for name in names if name not in pairs and name not in seconds]
    return [name for name in pairs if name in names] + rest + sorted(seconds, key=lambda name: name in _LAST)


def _counted(manifests: Sequence[Manifest], runs: Sequence[RunFolder]) -> dict[str, list[Cell]]:
    """What else is known of each run, by column."""
    data = [manifest.data for manifest in manifests]
    return {
        "train_examples": [None if each is None else each.train for each in data],
        "seen_examples": [None if each is None else each.seen for each in data],
        "held_out_examples": [None if each is None else each.held_out for each in data],
        "best_step": [_kept(manifest) for manifest in manifests],
        "train_loss": [last_value(run.metrics_path, LOSS.name) for run in runs],
    }


def _kept(manifest: Manifest) -> int | None:
    """The step whose weights were kept, which is the last one where none was better."""
    if manifest.best is not None:
        return manifest.best.step
    return manifest.length.steps if manifest.length is not None and manifest.measured else None


def check_sheet(path: Path, *, force: bool = False, where: str = "--out") -> None:
    """Refuse a file before any work is done.

    Args:
        path: of the spreadsheet.
        where: the flag that names it.
        force: a file that exists may be replaced.
    Raises:
        InputError: its suffix is none that is written, it exists, its folder does not, or a package is missing.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"'{path}' is no table.", where=where, fix=f"write {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        )
    check_new_file(path, force=force, where=where)
    if path.suffix.lower() == ".xlsx" and find_spec("openpyxl") is None:
        raise InputError(
            "Excel's format needs openpyxl, which is not installed.",
            where=str(path),
            fix='pip install "tiebreak[sheet]", or write a .csv file',
        )


def check_new_file(path: Path, *, force: bool = False, where: str = "--out") -> None:
    """Refuse a file that cannot be written, or that nobody asked to replace.

    Args:
        path, force, where: as for `check_sheet`.
    Raises:
        InputError: it is a folder, it exists, or its folder is not there or cannot be written to.
    """
    if path.is_dir():
        raise InputError(f"'{path}' is a folder.", where=where, fix="name a file in it")
    if not path.parent.is_dir():
        raise InputError(f"There is no folder '{path.parent}'.", where=where, fix="make it first, or name another")
    if path.exists() and not force:
        raise InputError(f"The file '{path}' exists.", where=where, fix="choose another name, or add --force")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"The folder '{path.parent}' cannot be written to.", where=where, fix="name another")


def write_sheet(sheet: Sheet, path: Path, *, force: bool = False) -> None:
    """Write a table; the file is there whole or not at all.

    Args:
        sheet: the table.
        path: ends in one of `SUFFIXES`.
        force: replace a file that exists.
    Raises:
        InputError: the file is refused (see `check_sheet`).
        RunError: the disk does not take it.
    """
    check_sheet(path, force=force)
    try:
        if path.suffix.lower() == ".csv":
            write_text(path, _csv(sheet))
        elif path.suffix.lower() == ".md":
            write_text(path, markdown(sheet))
        elif path.suffix.lower() == ".jsonl":
            lines = (dict(zip(sheet.headings, row, strict=True)) for row in sheet.rows)
            write_text(path, "".join(f"{json.dumps(without_nan(line), ensure_ascii=False)}\n" for line in lines))
        elif path.suffix.lower() == ".parquet":
            _write_parquet(sheet, path)
        else:
            write_workbook((sheet,), path)
    except OSError as error:
        raise RunError(
            f"The table cannot be written: {error.strerror or error}.",
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


def markdown(sheet: Sheet) -> str:
    """A table in Markdown, numbers to six digits."""
    rows = [["" if cell is None else _short(cell) for cell in row] for row in sheet.rows]
    return f"{table([inline(heading) for heading in sheet.headings], rows)}\n"


def _short(cell: Cell) -> str:
    return f"{cell:.6g}" if isinstance(cell, float) else inline(str(cell))


def write_workbook(sheets: Sequence[Sheet], path: Path) -> None:
    """Write tables as the sheets of one Excel file, numbers as numbers; it is there whole or not at all.

    Args:
        sheets: at least one, each with a title of its own.
        path: of the file, which is replaced if it exists.
    Raises:
        OSError: the disk does not take it.
    """
    from openpyxl import Workbook  # type: ignore[import-untyped]

    book = Workbook()
    book.remove(book.active)
    for sheet in sheets:
        _fill(book.create_sheet(sheet.title), sheet)
    with TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        made = Path(folder) / path.name
        book.save(made)
        flush_folder(made.parent)
        made.replace(path)


def _fill(page: Any, sheet: Sheet) -> None:
    from openpyxl.styles import Font  # type: ignore[import-untyped]
    from openpyxl.utils import get_column_letter  # type: ignore[import-untyped]

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


def _write_parquet(sheet: Sheet, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # A column of numbers that are whole in some rows only is one of numbers.
    columns = list(zip(*sheet.rows, strict=True)) if sheet.rows else [()] * len(sheet.headings)
    mixed = [any(isinstance(cell, float) for cell in cells) for cells in columns]
    arrays = [
        pa.array([float(cell) if real and isinstance(cell, int) else cell for cell in cells])
        for real, cells in zip(mixed, columns, strict=True)
    ]
    with TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        made = Path(folder) / path.name
        pq.write_table(pa.table(arrays, names=list(sheet.headings)), made)
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
