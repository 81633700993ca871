"""Searches on the Runs page: in the list one line each, and one with its trials, what is best, findings and curves.

Shows what a search wrote; nothing of its storage is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tiebreak.errors import TiebreakError
from tiebreak.formatting.numbers import DASH
from tiebreak.report.looks import RUNS
from tiebreak.report.together import draw_together
from tiebreak.runs.compare import summarize
from tiebreak.runs.folder import RunFolder
from tiebreak.runs.metrics_file import read_metrics
from tiebreak.runs.search import SEARCH, TRIALS, SaidRecord, SearchRecord, TrialRecord, read_search, runs_of
from tiebreak.serve.pages.markup import escaped, escaped_line, notice, pick_button, tag

SEARCHES = "sweeps"
"""The folder beside that of the runs in which searches lie that nobody gave another one."""
SEVERITIES = {"stop": "bad", "warning": "bad", "note": "plain"}
_TONES = {"finished": "good", "running": "accent", "failed": "bad"}
Stamp = tuple[int, int]


@dataclass(frozen=True)
class SearchSeen:
    """What a search looked like, so that nothing is drawn twice."""

    path: Path
    stamps: tuple[Stamp, ...]


def parents_of(runs: Path) -> tuple[Path, ...]:
    """Where searches are looked for: among the runs, and beside them.

    Args:
        runs: the folder of runs.
    """
    return (runs, runs.resolve().parent / SEARCHES)


def pick_of(search: Path, run: RunFolder | None = None) -> str:
    """What is sent where a search is picked, or a run of it; no run by itself has such a name.

    Args:
        search: its folder.
        run: of it.
    """
    name = f"{search.resolve().parent.name}/{search.name}"
    return name if run is None else f"{name}/{run.path.name}"


def found_of(searches: Sequence[Path], name: str | None) -> tuple[Path | None, RunFolder | None]:
    """The search that was picked, or the run of a search.

    Args:
        searches: that are shown.
        name: what the browser sent.
    """
    for search in searches:
        own = pick_of(search)
        if name == own:
            return search, None
        if name is not None and name.startswith(f"{own}/"):
            trials = search / TRIALS
            names = [entry.name for entry in trials.iterdir()] if trials.is_dir() else []
            asked = name.removeprefix(f"{own}/")
            if asked in names and (trials / asked / "recipe.yaml").is_file():
                return search, RunFolder(trials / asked)
    return None, None


def look_at(search: Path, *, whole: bool) -> SearchSeen:
    """Look at the files of a search without reading them.

    Args:
        search: its folder.
        whole: with the metrics of its runs.
    """
    files = [search / SEARCH]
    if whole and (search / TRIALS).is_dir():
        files += sorted((search / TRIALS).glob("*/metrics.jsonl"))
    return SearchSeen(search, tuple(stamp_of(path) for path in files))


def search_line(search: Path, current: bool) -> str:
    """A search in the list."""
    try:
        record = read_search(search)
    except (TiebreakError, OSError):
        inner = f'<span class="tb-run-name">{escaped_line(search.name)}</span>{tag("damaged", "bad")}'
        return pick_button(pick_of(search), "", inner=inner, current=current)
    status = _status(search, record)
    best = next((trial for trial in record.trials if trial.number in record.best[:1]), None)
    about = f"search · {record.ended} of {record.limit} trials" + (f" · {_values(record, best)}" if best else "")
    inner = (
        f'<span class="tb-run-name">{escaped_line(search.name)}</span>{tag(status, _TONES.get(status, ""))}'
        f'<span class="tb-quiet">{escaped_line(about, 160)}</span>'
    )
    return pick_button(pick_of(search), "", inner=inner, current=current)


def search_card(search: Path) -> str:
    """One search: how far it is, what is best, its trials and their curves over one another."""
    try:
        record = read_search(search)
    except (TiebreakError, OSError) as error:
        return notice(f"This search cannot be read. {getattr(error, 'what', '')}".strip(), "bad")
    status = _status(search, record)
    return (
        f'<section class="tb-run tb-search"><h2>{escaped_line(search.name)} {tag(status, _TONES.get(status, ""))}</h2>'
        f"{_progress(record)}{_best(record)}{findings_html(record.findings, 'search-findings')}"
        f"{_trials(search, record)}"
        f"{_curves(look_at(search, whole=True))}</section>"
    )


def findings_html(found: Sequence[SaidRecord], place: str) -> str:
    """Findings, each on a line.

    Args:
        found: the most severe first.
        place: id of the list.
    """
    lines = "".join(
        f'<li><span class="tb-tag tb-{SEVERITIES.get(each.severity, "plain")}">{escaped(each.severity)}</span> '
        f'{escaped_line(each.title, 200)} <span class="tb-quiet">{escaped_line(each.name)}: '
        f"{escaped_line(each.figures, 400)}</span></li>"
        for each in found
    )
    return f'<ul class="tb-findings" id="{place}">{lines}</ul>' if lines else ""


def _status(search: Path, record: SearchRecord) -> str:
    """How a search stands: a trial counts as running while its process lives."""
    if record.ended >= record.limit:
        return "finished" if record.best else "failed"
    running = (run for trial in record.trials if trial.state == "running" for run in runs_of(search, trial))
    return "running" if any(summarize(run).status == "running" for run in running) else "stopped"


def _progress(record: SearchRecord) -> str:
    share = min(1.0, record.ended / record.limit)
    return (
        f'<p class="tb-quiet" role="status">{record.ended} of {record.limit} trials have ended</p>'
        f'<progress max="1" value="{share:.4f}" aria-label="Progress of the search"></progress>'
    )


def _best(record: SearchRecord) -> str:
    if not record.best:
        return '<p class="tb-verdict tb-plain">No trial has a result yet.</p>'
    lines = []
    for trial in record.trials:
        if trial.number in record.best:
            settings = ", ".join(f"{key}={value}" for key, value in trial.settings.items())
            lines.append(
                f"<strong>Trial {trial.number} is {'the best' if len(record.best) == 1 else 'on the front'}.</strong> "
                f"{escaped(settings)} ({escaped(_values(record, trial))})"
            )
    return f'<p class="tb-verdict tb-good">{"<br>".join(lines)}</p>'


def _values(record: SearchRecord, trial: TrialRecord) -> str:
    return ", ".join(f"{goal} {value}" for goal, value in zip(record.goals, trial.values, strict=False))


def _trials(search: Path, record: SearchRecord) -> str:
    """The trials as a table, those with a result first, the best on top."""
    known = {trial.number: trial for trial in record.trials}
    order = [known[number] for number in record.ranked if number in known]
    order += [trial for trial in record.trials if trial.number not in record.ranked]
    names = ("trial", "state", *record.over, *record.goals)
    head = "".join(f'<th scope="col">{escaped_line(name)}</th>' for name in names)
    lines = "".join(_row(search, record, trial) for trial in order)
    table = f'<table class="tb-trials"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>'
    return f'<div class="tb-scroll" tabindex="0" role="region" aria-label="Trials">{table}</div>'


def _row(search: Path, record: SearchRecord, trial: TrialRecord) -> str:
    runs = runs_of(search, trial)
    number = pick_button(pick_of(search, runs[0]), str(trial.number)) if runs else str(trial.number)
    state, why = trial.state, trial.reason or ""
    if state == "running" and runs:
        summary = summarize(runs[-1])
        state = state if summary.status in ("running", "finished") else "stopped"
        why = f"step {summary.step or 0:,}" + (f" of {summary.steps:,}" if summary.steps else "")
    values = [*trial.values, *[DASH] * len(record.goals)][: len(record.goals)]
    cells = [trial.settings.get(key, DASH) for key in record.over] + values
    said = f' <span class="tb-quiet">{escaped_line(why, 200)}</span>' if why else ""
    tone = "good" if trial.number in record.best else _TONES.get(state, "") if state != "finished" else ""
    word = "best" if trial.number in record.best and len(record.best) == 1 else state
    return (
        f'<tr><th scope="row">{number}</th><td>{tag(word, tone)}{said}</td>'
        + "".join(f"<td>{escaped_line(cell)}</td>" for cell in cells)
        + "</tr>"
    )


@lru_cache(maxsize=8)
def _curves(seen: SearchSeen) -> str:
    """The curves of the best trials, and of those that are running."""
    record = read_search(seen.path)
    known = {trial.number: trial for trial in record.trials}
    running = [trial.number for trial in record.trials if trial.state == "running"]
    order = [*record.ranked[: max(1, RUNS - len(running))], *running][:RUNS]
    shown = [(number, runs[0]) for number in order if number in known and (runs := runs_of(seen.path, known[number]))]
    rows = [read_metrics(run.metrics_path) if run.metrics_path.exists() else [] for _, run in shown]
    drawn = draw_together(rows, [f"trial {number}" for number, _ in shown])
    if not drawn:
        return '<p class="tb-quiet">Nothing is logged yet.</p>'
    names = "".join(
        f'<li class="run-{place}"><strong>{place}</strong> trial {number}</li>'
        for place, (number, _) in enumerate(shown, start=1)
    )
    figures = "".join(
        f'<figure data-figure="{escaped(one.name)}"><h3>{escaped(one.title)}</h3>{one.svg}'
        f"<figcaption>{escaped(one.caption)}</figcaption></figure>"
        for one in drawn
    )
    return f'<ol class="tb-legend">{names}</ol><div class="tb-curves" id="search-curves">{figures}</div>'


def stamp_of(path: Path) -> Stamp:
    """When a file was changed and how long it is; zeros where there is none."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)
