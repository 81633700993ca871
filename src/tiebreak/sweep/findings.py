"""What is to be said of a search besides its best trial: where to look further, and what its figures cannot tell.

Findings as the doctor's of a run, by its own words where they are of runs. Knows trials and their run folders.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tiebreak.doctor.examine import run_findings
from tiebreak.doctor.finding import Figure, Finding, ordered
from tiebreak.errors import InputError
from tiebreak.formatting.numbers import decimal
from tiebreak.recipe.space import Choices, Dimension, Span, is_number, value_text
from tiebreak.sweep.folder import SweepFolder
from tiebreak.sweep.plan import Plan
from tiebreak.sweep.ranking import ranked, spread
from tiebreak.sweep.study import Trial

_EDGE = 0.05  # share of a range at each end
_FEW = 3  # values of a list that have a middle, and trials that have a best one
_BETWEEN = 1.96


def findings_of(plan: Plan, folder: SweepFolder, trials: Sequence[Trial]) -> tuple[Finding, ...]:
    """What is found, the most severe first.

    Args:
        plan, folder: of the search.
        trials: as they stand.
    """
    best = ranked(trials, plan.goals)
    tried = sum(trial.state in ("finished", "pruned") for trial in trials)
    found = [
        _all_memorise(plan, folder, best),
        _own_scales(plan),
        _ties(plan, best),
        *_borders(plan, best, tried),
        _seeds(plan, best),
    ]
    return ordered(finding for finding in found if finding is not None)


def _equal(plan: Plan, best: Sequence[Trial]) -> list[Trial]:
    """The best trial, and those that came to exactly the same."""
    return [trial for trial in best if trial.values == best[0].values] if len(plan.goals) == 1 else []


def _ties(plan: Plan, best: Sequence[Trial]) -> Finding | None:
    equal = _equal(plan, best)
    if len(equal) < 2:
        return None
    goal = plan.goals[0]
    assert equal[0].values is not None
    return Finding(
        name="equal-best",
        severity="note",
        title=f"{len(equal)} trials are equally good",
        evidence=(
            Figure(goal.name, equal[0].values[0], goal.written(equal[0].values[0])),
            Figure("trials", len(equal), ", ".join(str(trial.number) for trial in equal)),
        ),
        means="Nothing that was measured tells them apart, and best.yaml has the first of them. An accuracy has no "
        "more values than there are held-out pairs.",
        advice=("Rank by eval_loss, or hold out more pairs.",),
        source="Equal figures.",
        sure="certain",
    )


def _borders(plan: Plan, best: Sequence[Trial], tried: int) -> list[Finding | None]:
    if not best or tried < _FEW or len(plan.goals) > 1:
        return []
    return [_border(key, dimension, _equal(plan, best)) for key, dimension in plan.space.items()]


def _border(key: str, dimension: Dimension, best: Sequence[Trial]) -> Finding | None:
    """The best value lies at an end; of several equally good trials all do, and at the same one."""
    value = best[0].settings.get(key)
    if not is_number(value):
        return None
    ends = {_end_of(dimension, float(trial.settings[key])) for trial in best}
    end = _end_of(dimension, float(value))
    if end is None or len(ends) > 1:
        return None
    low, high = end
    return Finding(
        name="best-at-border",
        severity="warning",
        title=f"the best value of {key} is at the {low} end of what was tried",
        evidence=(Figure(f"{key} of the best trial", float(value), value_text(value)),),
        means="What lies beyond was not tried, and may be better still. best.yaml has the value at which the search "
        "ended, and perhaps not the best one.",
        advice=(f"Search again with a {high} for {key} that lies further out.",),
        source="A maximum at the edge of an interval is one of the interval.",
        sure="likely",
    )


def _end_of(dimension: Dimension, value: float) -> tuple[str, str] | None:
    """Which end a value lies at, and what that end is called; None where it lies between."""
    if isinstance(dimension, Span):
        share = dimension.share(value)
        return (
            ("lower", "lowest value") if share <= _EDGE else ("upper", "highest value") if share >= 1 - _EDGE else None
        )
    numbers = dimension.ordered if isinstance(dimension, Choices) else None
    if numbers is None or len(numbers) < _FEW:
        return None
    return (
        ("lower", "lowest value")
        if value == numbers[0]
        else ("upper", "highest value")
        if value == numbers[-1]
        else None
    )


def _seeds(plan: Plan, best: Sequence[Trial]) -> Finding | None:
    """The best two trials, where each was repeated, differ by less than their seeds do."""
    if len(best) < 2 or plan.section.seeds < 2 or best[0].values is None or best[1].values is None:
        return None
    spreads = [spread(trial, 0) for trial in best[:2]]
    if spreads[0] is None or spreads[1] is None:
        return None
    difference = abs(best[0].values[0] - best[1].values[0])
    expected = _BETWEEN * math.sqrt((spreads[0] ** 2 + spreads[1] ** 2) / plan.section.seeds)
    if difference > expected:
        return None
    goal = plan.goals[0]
    return Finding(
        name="within-seeds",
        severity="warning",
        title=f"the best two trials differ by less than seeds alone make differ ({goal.name})",
        evidence=(
            Figure(f"difference of trials {best[0].number} and {best[1].number}", difference, decimal(difference)),
            Figure("what seeds alone explain (95%)", expected, decimal(expected)),
            Figure("seeds of each", float(plan.section.seeds), str(plan.section.seeds)),
        ),
        means="Which of the two is better is not known: other seeds could turn them round. The first is in best.yaml "
        "all the same.",
        change={"sweep.seeds": str(2 * plan.section.seeds)},
        source="The standard error of the difference of two means.",
        sure="certain",
    )


def _all_memorise(plan: Plan, folder: SweepFolder, best: Sequence[Trial]) -> Finding | None:
    if len(best) < 2:
        return None
    said = [_said(plan, folder, trial, "memorising") for trial in best]
    first = said[0]
    if first is None or any(each is None for each in said):
        return None
    return Finding(
        name="all-memorise",
        severity="warning",
        title=f"all {len(best)} trials memorise their training pairs",
        evidence=first.evidence,
        means="No value that was tried keeps the model from it, so the search chose among trials that share the fault. "
        f"The figures are those of the best one, trial {best[0].number}.",
        change={key: value for key, value in first.change.items() if key not in plan.space},
        advice=("Try lower learning rates, fewer epochs, or more data.",),
        source=first.source,
        sure=first.sure,
    )


def _said(plan: Plan, folder: SweepFolder, trial: Trial, name: str) -> Finding | None:
    run = folder.run(trial.number, 0, plan.section.seeds)
    try:
        found = run_findings(run, run.load_manifest(), run.recipe())
    except InputError:  # somebody damaged or removed it; nothing is known of the run
        return None
    return next((each for each in found if each.name == name and each.severity != "note"), None)


def _own_scales(plan: Plan) -> Finding | None:
    """Losses of objectives that differ are ranked, though each has a scale of its own."""
    goal = next((goal for goal in plan.goals if goal.metric.own_scale), None)
    several = [key for key, d in plan.space.items() if not isinstance(d, Choices) or len(d.values) > 1]
    varied = [key for key in several if key.partition(".")[0] == "objective"]
    if goal is None or not varied:
        return None
    return Finding(
        name="own-scales",
        severity="warning",
        title=f"trials with another {' and '.join(varied)} are ranked by {goal.name}",
        evidence=(),
        means=f"{goal.name} is on a scale that the objective sets: of one and the same model a larger beta alone makes "
        "it another. The best trial may be the one with the most convenient scale.",
        change={"sweep.objective": "eval_rewards/accuracies"},
        advice=("Or rank by judge.win_rate, with a judge.",),
        source="The loss of DPO is a function of beta times the margin (arXiv 2305.18290, equation 7).",
        sure="likely",
    )
