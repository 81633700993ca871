"""The Runs page: what ran in a folder, and one run with its curves and metrics, also while it is being trained.

Reads run folders as they are at this moment; a run that is being written may be half there. Searches stand in the same
list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

from tiebreak.doctor.examine import run_findings
from tiebreak.errors import InputError, TiebreakError
from tiebreak.formatting import numbers
from tiebreak.report.drawing import draw_plots
from tiebreak.report.facts import data_facts, model_facts, run_facts
from tiebreak.report.table import result_rows
from tiebreak.report.verdict import verdict
from tiebreak.runs.compare import Summary, summarize
from tiebreak.runs.folder import RunFolder, list_runs
from tiebreak.runs.manifest import Manifest
from tiebreak.runs.metrics_file import read_metrics
from tiebreak.runs.public import public_manifest
from tiebreak.runs.search import SEARCH, SaidRecord, list_searches
from tiebreak.serve.pages.context import PageContext, Session
from tiebreak.serve.pages.markup import PICK_JS, escaped, escaped_line, notice, pick_button, picked, rows, tag
from tiebreak.serve.pages.searches import (
    findings_html,
    found_of,
    look_at,
    parents_of,
    pick_of,
    search_card,
    search_line,
    stamp_of,
)
from tiebreak.serve.pages.train import TrainPart
from tiebreak.serve.settings import ServeSettings

_MOST = 50  # runs in the list
Stamp = tuple[tuple[int, int], ...]
_TONES = {"finished": "good", "running": "accent", "failed": "bad", "damaged": "bad"}


class RunsPage:
    """Builds the page, and answers what is done on it.

    Args:
        context: what every page is built from.
        session: the state of the page.
        server: who may train here; None is nobody.
    """

    def __init__(self, context: PageContext, session: gr.State, server: ServeSettings | None = None) -> None:
        self.context, self.session = context, session
        self.training = TrainPart(context, session, server) if server is not None and server.training else None
        self.list = gr.HTML("", elem_id="runs-list", js_on_load=PICK_JS)
        self.run = gr.HTML("", elem_id="runs-run", js_on_load=PICK_JS)
        self.timer = gr.Timer(context.settings.refresh_seconds, active=False)
        quiet: Any = {"show_progress": "hidden", "api_visibility": "private"}
        for shown in (self.list, self.run):
            shown.click(self.pick, session, [self.list, self.run], **quiet)
        self.timer.tick(self.refresh, session, [self.list, self.run], **quiet)
        if self.training is not None:
            self.timer.tick(self.training.view, session, self.training.shown, **quiet)
            for button in (self.training.go, self.training.more):
                button.click(self.refresh, session, [self.list, self.run], **quiet)

    def open(self, session: Session) -> tuple[Any, ...]:
        """Show the page as it is now."""
        session.seen = None
        return self.refresh(session)

    def pick(self, session: Session, event: gr.EventData) -> tuple[Any, ...]:
        """Show another run."""
        session.run, session.seen = picked(event), None
        return self.refresh(session)

    def refresh(self, session: Session) -> tuple[Any, ...]:
        """Show what changed since the last look."""
        runs = list_runs(self.context.runs)[:_MOST]
        searches = list_searches(parents_of(self.context.runs))[:_MOST]
        shown = _find(runs, searches, session.run)
        seen = (
            [look(run) for run in runs],
            [look_at(search, whole=search == shown.search) for search in searches],
            None if shown.run is None else look(shown.run),
            shown,
        )
        if seen == session.seen:
            return gr.skip(), gr.skip()
        session.seen = seen
        return run_list(runs, searches, shown), shown_card(shown)


@dataclass(frozen=True)
class Shown:
    """What is shown: a run, a search, or a run of a search; both None is nothing."""

    run: RunFolder | None = None
    search: Path | None = None


def _find(runs: list[RunFolder], searches: list[Path], name: str | None) -> Shown:
    """What was picked, else what began last."""
    search, run = found_of(searches, name)
    if search is not None:
        return Shown(run, search)
    for run in runs:
        if run.path.name == name:
            return Shown(run)
    newest = next(iter(_newest_first(runs, searches)), None)
    return Shown(newest) if isinstance(newest, RunFolder) else Shown(search=newest)


def _newest_first(runs: Sequence[RunFolder], searches: Sequence[Path]) -> list[RunFolder | Path]:
    both: list[RunFolder | Path] = [*runs, *searches]
    return sorted(both, key=_changed, reverse=True)


def _changed(item: RunFolder | Path) -> int:
    return stamp_of(item.recipe_path if isinstance(item, RunFolder) else item / SEARCH)[0]


@dataclass(frozen=True)
class Seen:
    """What a run looked like, so that nothing is drawn twice."""

    path: Path
    stamp: Stamp


def look(run: RunFolder) -> Seen:
    """Look at the files of a run without reading them."""
    return Seen(run.path, tuple(stamp_of(path) for path in (run.manifest_path, run.metrics_path)))


def run_list(runs: Sequence[RunFolder], searches: Sequence[Path], shown: Shown) -> str:
    """Runs and searches, each to be picked by its name, the newest first."""
    if not runs and not searches:
        return (
            '<div class="tb-empty"><p class="tb-empty-title">There are no runs yet.</p>'
            "<p><code>tiebreak quickstart</code> makes one.</p></div>"
        )
    lines = "".join(
        f"<li>{_line(summarize(item), item == shown.run)}</li>"
        if isinstance(item, RunFolder)
        else f"<li>{search_line(item, item == shown.search)}</li>"
        for item in _newest_first(runs, searches)
    )
    return f'<ul class="tb-runs">{lines}</ul>'


def shown_card(shown: Shown) -> str:
    """What is shown of a run or a search; a run of a search leads back to it."""
    if shown.run is None:
        return "" if shown.search is None else search_card(shown.search)
    if shown.search is None:
        return run_card(shown.run)
    back = pick_button(pick_of(shown.search), f"← {shown.search.name}")
    return f'<nav class="tb-back">{back}</nav>{run_card(shown.run)}'


def run_card(run: RunFolder) -> str:
    """One run: how it went, its metrics, its curves."""
    try:
        manifest = public_manifest(run.load_manifest())
    except (TiebreakError, OSError) as error:
        return notice(f"This run cannot be read. {getattr(error, 'what', '')}".strip(), "bad")
    summary, judged = summarize(run), verdict(manifest)
    live = manifest.state == "running"
    said = f"<strong>{escaped(judged.headline)}</strong> {escaped(judged.detail)}"
    word = f'<p class="tb-verdict tb-{judged.tone}">{said}</p>'
    return (
        f'<section class="tb-run"><h2>{escaped_line(summary.name)} {tag(summary.status, _tone(summary))}</h2>'
        f"{_progress(summary) if live else ''}{word}{_findings(run, manifest)}{_results(manifest)}"
        f'<div class="tb-curves" id="run-curves">{_curves(look(run))}</div>'
        f"<details><summary>What ran</summary>{_facts(manifest)}</details></section>"
    )


def _findings(run: RunFolder, manifest: Manifest) -> str:
    """What the doctor finds in the run as it stands, the most severe first."""
    try:
        found = run_findings(run, manifest, run.recipe())
    except InputError:  # the recipe cannot be read; what else is wrong with the run is said elsewhere
        return ""
    said = [
        SaidRecord(severity=each.severity, name=each.name, title=each.title, figures=each.figures_text)
        for each in found
    ]
    return findings_html(said, "run-findings")


def _line(summary: Summary, current: bool) -> str:
    accuracy = "" if summary.accuracy is None else f"accuracy {numbers.percent(summary.accuracy)}"
    about = " · ".join(filter(None, (_steps(summary), accuracy, numbers.when(summary.created))))
    inner = (
        f'<span class="tb-run-name">{escaped_line(summary.name)}</span>{tag(summary.status, _tone(summary))}'
        f'<span class="tb-quiet">{escaped_line(about, 160)}</span>'
    )
    return pick_button(summary.name, "", inner=inner, current=current)


def _tone(summary: Summary) -> str:
    return _TONES.get(summary.status, "")


def _steps(summary: Summary) -> str:
    if summary.step is None:
        return ""
    return f"step {summary.step:,}" + (f" of {summary.steps:,}" if summary.steps else "")


def _progress(summary: Summary) -> str:
    if not summary.steps:
        return f'<p class="tb-quiet" role="status">{escaped(_steps(summary))}</p>'
    share = min(1.0, (summary.step or 0) / summary.steps)
    return (
        f'<p class="tb-quiet" role="status">{escaped(_steps(summary) or "step 0")}</p>'
        f'<progress max="1" value="{share:.4f}" aria-label="Progress of training"></progress>'
    )


def _results(manifest: Manifest) -> str:
    found = result_rows(manifest)
    if not found:
        return ""
    lines = "".join(
        f'<tr><th scope="row">{escaped(row.label)}<small class="tb-quiet">{escaped(row.hint)}</small></th>'
        f'<td data-name="before">{escaped(row.before)}</td>'
        f'<td data-name="after" class="tb-{row.change or "same"}">{escaped(row.after)}</td></tr>'
        for row in found
    )
    head = '<thead><tr><th scope="col"></th><th scope="col">before</th><th scope="col">after</th></tr></thead>'
    return f'<table class="tb-results">{head}<tbody>{lines}</tbody></table>'


@lru_cache(maxsize=16)
def _curves(seen: Seen) -> str:
    drawn = draw_plots(read_metrics(RunFolder(seen.path).metrics_path))
    if not drawn:
        return '<p class="tb-quiet">Nothing is logged yet.</p>'
    return "".join(
        f'<figure data-figure="{escaped(one.name)}"><h3>{escaped(one.title)}</h3>{one.svg}'
        f"<figcaption>{escaped(one.caption)}</figcaption></figure>"
        for one in drawn
    )


def _facts(manifest: Manifest) -> str:
    return rows(
        (fact.name, fact.value) for fact in (*data_facts(manifest), *model_facts(manifest), *run_facts(manifest))
    )
