"""Writes how a search stands where others can read it without its storage: the page of a server, and whoever asks."""

from __future__ import annotations

from collections.abc import Sequence

from tiebreak.doctor.finding import Finding
from tiebreak.errors import InputError
from tiebreak.recipe.space import value_text
from tiebreak.runs.search import SaidRecord, SearchRecord, TrialRecord, read_search, write_search
from tiebreak.sweep.folder import SweepFolder
from tiebreak.sweep.plan import Plan
from tiebreak.sweep.ranking import best_of, ranked
from tiebreak.sweep.study import Trial


def write_state(
    plan: Plan, folder: SweepFolder, trials: Sequence[Trial], findings: Sequence[Finding] | None = None
) -> None:
    """Write search.json. Call it alone in the folder.

    Args:
        plan, folder: of the search.
        trials: as they stand.
        findings: what is to be said of it, where results are written too; None leaves what was said before.
    """
    record = SearchRecord(
        over=tuple(plan.space),
        goals=tuple(goal.name for goal in plan.goals),
        limit=plan.limit,
        trials=tuple(_trial(plan, folder, trial) for trial in trials),
        ranked=tuple(trial.number for trial in ranked(trials, plan.goals)),
        best=tuple(trial.number for trial in best_of(trials, plan.goals)),
    )
    if findings is not None:
        record = record.replace(findings=tuple(map(_said, findings)), written=record.ended)
    elif (before := _before(folder)) is not None:
        record = record.replace(findings=before.findings, written=before.written)
    write_search(folder.path, record)


def values_text(plan: Plan, trial: Trial) -> tuple[str, ...]:
    """The values of a trial in words; of one that did not finish the last that was measured on its way."""
    if trial.values is not None:
        return tuple(goal.written(value) for goal, value in zip(plan.goals, trial.values, strict=True))
    return (plan.goals[0].written(list(trial.reported.values())[-1]),) if trial.reported else ()


def _trial(plan: Plan, folder: SweepFolder, trial: Trial) -> TrialRecord:
    seeds = plan.section.seeds
    return TrialRecord(
        number=trial.number,
        state=trial.state,
        settings={key: value_text(value) for key, value in trial.settings.items()},
        values=values_text(plan, trial),
        reason=trial.reason,
        runs=tuple(folder.run(trial.number, repeat, seeds).path.name for repeat in range(seeds)),
    )


def _said(finding: Finding) -> SaidRecord:
    return SaidRecord(severity=finding.severity, name=finding.name, title=finding.title, figures=finding.figures_text)


def _before(folder: SweepFolder) -> SearchRecord | None:
    try:
        return read_search(folder.path)
    except (FileNotFoundError, InputError):  # it is written anew
        return None
