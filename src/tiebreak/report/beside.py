"""Runs beside each other on one page: settings and figures that differ, intervals, curves over one another.

What differs stands in `runs.compare`; how a page becomes one safe file in `page`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tiebreak.errors import InputError
from tiebreak.formatting.text import one_line
from tiebreak.metrics import Metric, metric_named
from tiebreak.report.environment import markup
from tiebreak.report.looks import RUNS
from tiebreak.report.page import rendered_page, with_markup
from tiebreak.report.page_file import PAGE, check_page, write_page
from tiebreak.report.shares import share_svg
from tiebreak.report.together import draw_together
from tiebreak.runs.compare import ComparedMetric, Comparison, compare
from tiebreak.runs.folder import RunFolder, find_run
from tiebreak.runs.metrics_file import read_metrics
from tiebreak.runs.sheet import SUFFIXES, check_sheet, sheet_of, write_sheet
from tiebreak.tasks import TASKS

_LONGEST_NAME = 60


@dataclass(frozen=True)
class Figure:
    """A metric of all runs as the page shows it.

    Attributes:
        label, hint: what it is, and how to read it.
        values: as text, with intervals.
        best: index of the best run; None where that cannot be said.
    """

    label: str
    hint: str
    values: tuple[str, ...]
    best: int | None


def compare_runs(
    runs: Sequence[str | os.PathLike[str]], *, out: str | os.PathLike[str] | None = None, force: bool = False
) -> Comparison:
    """Put runs side by side, and write what comes of it.

    Args:
        runs: at least two: runs, run folders, or names of runs under `runs/`.
        out: a page (`.html`), or a table with a row a run (`runs.sheet.SUFFIXES`); None writes nothing.
        force: replace a file that exists.
    Raises:
        InputError: there is no such run, one cannot be read, or the file is refused.
        RunError: the disk does not take it.
    """
    path = None if out is None else Path(out)
    if path is not None:
        check_out(path, force=force)
    found = [find_run(os.fspath(run)) for run in runs]
    comparison = compare(found)
    if path is None:
        return comparison
    if path.suffix.lower() == PAGE:
        write_page(path, render_comparison(comparison, found))
    else:
        write_sheet(sheet_of(comparison, found), path, force=force)
    return comparison


def check_out(path: Path, *, force: bool) -> None:
    """Refuse a file before any work is done.

    Args:
        path: of a page or a table.
        force: a file that exists may be replaced.
    Raises:
        InputError: it is neither, it exists, its folder does not, or a package is missing.
    """
    if path.suffix.lower() == PAGE:
        check_page(path, force=force)
    elif path.suffix.lower() in SUFFIXES:
        check_sheet(path, force=force)
    else:
        raise InputError(
            f"'{path}' is neither a page nor a table.",
            where="--out",
            fix=f"write {PAGE}, {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}",
        )


def render_comparison(comparison: Comparison, runs: Sequence[RunFolder]) -> str:
    """The comparison as HTML.

    Args:
        comparison: of these runs.
        runs: in the same order; the first few have curves, as many as there are colours.
    """
    names = [one_line(name, _LONGEST_NAME) for name in comparison.names]
    logged = [read_metrics(run.metrics_path) for run in runs[:RUNS]]
    return rendered_page(
        "compare.html",
        names=names,
        runs=comparison.runs,
        notes=comparison.notes,
        drawn=RUNS,
        settings=[(setting.key, setting.written()) for setting in comparison.settings],
        figures=[_figure(metric) for metric in comparison.metrics if metric.differs],
        same=[_label(metric_named(metric.name)) for metric in comparison.metrics if not metric.differs],
        shares=[
            (_label(metric_named(metric.name)), shares)
            for metric in comparison.metrics
            if metric.differs and (shares := _shares(metric))
        ],
        plots=with_markup(draw_together(logged, names)),
    )


def _figure(metric: ComparedMetric) -> Figure:
    known = metric_named(metric.name)
    return Figure(_label(known), known.meaning, metric.written(), metric.best)


def _label(metric: Metric) -> str:
    """What the report of a run calls it; its own name where no report lists it."""
    shown = (metric.shown.get(task.table) for task in TASKS.values())
    return next((each.label for each in shown if each is not None), metric.name)


def _shares(metric: ComparedMetric) -> Sequence[tuple[int, str, str]]:
    """Of each run that has an interval its number, the value as text, and a picture of it."""
    chance, found = metric_named(metric.name).chance, []
    for number, (value, interval, said) in enumerate(
        zip(metric.values, metric.intervals, metric.written(), strict=True), start=1
    ):
        if value is not None and interval is not None and 0 <= min(value, *interval) <= max(value, *interval) <= 1:
            found.append((number, said, markup(share_svg(value, interval, chance=chance, said=said))))
    return found
