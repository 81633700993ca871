"""The page of a search: its best trial, what is to be said of it, all trials, and what decided between them.

Shows what it is given; how a page becomes one safe file is known to `page`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tiebreak.doctor.finding import Finding
from tiebreak.formatting.numbers import percent
from tiebreak.metrics import Better
from tiebreak.report.environment import markup
from tiebreak.report.looks import RUNS
from tiebreak.report.page import rendered_page, with_markup
from tiebreak.report.page_file import write_page
from tiebreak.report.shares import share_svg
from tiebreak.report.together import draw_together
from tiebreak.report.trials import Drawn, draw_history, parallel_svg
from tiebreak.runs.folder import RunFolder
from tiebreak.runs.metrics_file import read_metrics


@dataclass(frozen=True)
class Decides:
    """How much a key decides of the result: a share with its 95% interval."""

    key: str
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class SearchShown:
    """What the page of a search shows.

    Attributes:
        name: of the search.
        what: how it was searched, in a sentence.
        status: how far it is.
        goal, better: what trials are ranked by first, and which way is better.
        best: key and value of the best trial; none where no trial has a result.
        best_figures: what it came to, in words.
        findings: what is to be said of it.
        headings, rows: the trials as a table of texts.
        drawn: trials that have a result, in their order.
        axes: name, lower and upper end of each axis.
        decides: what each key decides, the most important first.
        runs: of the best trials, the best first, with their names; their curves are drawn.
        best_recipe: as YAML.
    """

    name: str
    what: str
    status: str
    goal: str
    better: Better
    best: Sequence[tuple[str, str]]
    best_figures: str
    findings: Sequence[Finding]
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    drawn: Sequence[Drawn]
    axes: Sequence[tuple[str, str, str]]
    decides: Sequence[Decides]
    runs: Sequence[tuple[str, RunFolder]]
    best_recipe: str


def write_search_page(shown: SearchShown, path: Path) -> None:
    """Write the page; the file is there whole or not at all.

    Raises:
        RunError: the disk does not take it.
    """
    write_page(path, render_search(shown))


def render_search(shown: SearchShown) -> str:
    """The page as HTML."""
    runs = shown.runs[:RUNS]
    names = [name for name, _ in runs]
    history = draw_history(shown.drawn, shown.goal, shown.better)
    return rendered_page(
        "sweep.html",
        shown=shown,
        history=with_markup([history] if history is not None else []),
        parallel=markup(parallel_svg(shown.drawn, shown.axes)) if shown.drawn else None,
        decides=[
            (each.key, said, markup(share_svg(each.share, (each.low, each.high), chance=None, said=said)))
            for each in shown.decides
            for said in [f"{percent(each.share)} ({percent(each.low)} to {percent(each.high)})"]
        ],
        names=names,
        plots=with_markup(draw_together([read_metrics(run.metrics_path) for _, run in runs], names)),
    )
