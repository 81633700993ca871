"""Which trials are best: by one goal, by several, and of several runs of one trial."""

from __future__ import annotations

import pytest

from tiebreak.metrics import metric_named
from tiebreak.sweep.goals import Goal
from tiebreak.sweep.ranking import best_of, best_repeat, ranked, spread
from tiebreak.sweep.study import Trial

LOSS = Goal("eval_loss", metric_named("eval_loss"), "lower")
ACCURACY = Goal("eval_rewards/accuracies", metric_named("eval_rewards/accuracies"), "higher")


def trial(number: int, *values: float, repeats: tuple[tuple[float, ...], ...] = ()) -> Trial:
    return Trial(number, {}, "finished" if values else "failed", values or None, repeats)


def test_the_best_of_one_goal_is_ahead_and_of_equals_the_earlier() -> None:
    trials = [trial(0, 0.5), trial(1), trial(2, 0.4), trial(3, 0.4)]
    assert [each.number for each in ranked(trials, [LOSS])] == [2, 3, 0]
    assert [each.number for each in best_of(trials, [LOSS])] == [2]
    assert [each.number for each in best_of(trials, [ACCURACY])] == [0]
    assert best_of([trial(1)], [LOSS]) == []


def test_the_front_of_two_goals_has_all_that_no_other_beats() -> None:
    trials = [trial(0, 0.5, 0.9), trial(1, 0.4, 0.8), trial(2, 0.5, 0.8), trial(3, 0.3, 0.7), trial(4, 0.3, 0.7)]
    assert [each.number for each in best_of(trials, [LOSS, ACCURACY])] == [3, 4, 1, 0]


def test_the_best_run_of_a_trial_and_how_far_its_runs_are_apart() -> None:
    repeated = trial(0, 0.5, repeats=((0.6,), (0.4,)))
    assert best_repeat(repeated, [LOSS]) == 1
    assert best_repeat(repeated, [ACCURACY]) == 0
    assert spread(repeated, 0) == pytest.approx(0.02**0.5)
    assert spread(trial(0, 0.5, repeats=((0.5,),)), 0) is None
    assert best_repeat(trial(0, 0.5), [LOSS]) == 0
