"""Which trials are best: by one goal the one that is ahead, by several those that no other beats in all of them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from tiebreak.sweep.goals import Goal
from tiebreak.sweep.study import Trial


def ranked(trials: Sequence[Trial], goals: Sequence[Goal]) -> list[Trial]:
    """The trials that have a result, the best of the first goal first; of equal ones the earlier."""
    finished = [trial for trial in trials if trial.values is not None]
    return sorted(finished, key=lambda trial: (_cost(trial, goals)[0], trial.number))


def best_of(trials: Sequence[Trial], goals: Sequence[Goal]) -> list[Trial]:
    """The best trial, or of several goals the Pareto front: those that no other is at least as good as in each goal
    and better in one; the best of the first goal first.

    Args:
        trials: in any state.
        goals: at least one.
    """
    found = ranked(trials, goals)
    if len(goals) == 1:
        return found[:1]
    costs = {trial.number: _cost(trial, goals) for trial in found}
    return [trial for trial in found if not any(_beats(costs[o.number], costs[trial.number]) for o in found)]


def best_repeat(trial: Trial, goals: Sequence[Goal]) -> int:
    """Which run of a trial has the best value of the first goal."""
    sign = 1 if goals[0].better == "lower" else -1
    return min(range(len(trial.repeats)), key=lambda repeat: sign * trial.repeats[repeat][0], default=0)


def spread(trial: Trial, goal: int) -> float | None:
    """The standard deviation of a goal over a trial's runs; None of fewer than two.

    Args:
        trial: that has a result.
        goal: index of the goal.
    """
    values = [each[goal] for each in trial.repeats]
    return statistics.stdev(values) if len(values) > 1 else None


def _cost(trial: Trial, goals: Sequence[Goal]) -> tuple[float, ...]:
    assert trial.values is not None
    return tuple(v if goal.better == "lower" else -v for v, goal in zip(trial.values, goals, strict=True))


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and any(a < b for a, b in zip(one, other, strict=True))
