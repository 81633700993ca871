"""Pairs that are told apart too easily, and columns that stand the other way round."""

from __future__ import annotations

import pytest

from tests.doctor.made import QUICKSTART, facts_of, noisy
from tiebreak.doctor.examine import examine
from tiebreak.doctor.training.pairs import reversed_columns, trivial_pairs

LATE = [(step, 0.6 if step < 300 else 0.9) for step in range(10, 1010, 10)]


def test_accuracy_near_one_within_a_tenth_of_the_run() -> None:
    early = [(step, 0.9 if step < 40 else 1.0) for step in range(10, 1010, 10)]
    finding = trivial_pairs(facts_of({"rewards/accuracies": early}))
    assert finding is not None
    assert (finding.severity, finding.change) == ("warning", {"train.max_steps": "200"})
    held = trivial_pairs(facts_of({"eval_rewards/accuracies": [(100, 0.995), (500, 1.0), (1000, 1.0)]}))
    assert held is not None
    assert held.evidence[0].written == "99.5%"


@pytest.mark.parametrize(
    "curves",
    [
        {"rewards/accuracies": LATE},
        {"eval_rewards/accuracies": [(200, 0.995), (1000, 1.0)]},  # later than a tenth
        {"rewards/accuracies": [(50, 1.0), (60, 1.0), (100, 1.0), (1000, 1.0)]},  # a few batches
        {
            "rewards/accuracies": [(step, 1.0) for step in range(10, 1010, 10)],
            "eval_rewards/accuracies": [(100, 0.6), (1000, 0.62)],  # other pairs are not: that is memorising
        },
    ],
)
def test_silent_where_it_comes_later_or_is_not_so_of_other_pairs(curves: dict[str, list[tuple[float, float]]]) -> None:
    assert trivial_pairs(facts_of(curves)) is None


def test_the_whole_length_counts_where_the_log_is_of_its_beginning() -> None:
    curves = {"rewards/accuracies": [(step, 1.0) for step in range(1, 101)]}
    assert trivial_pairs(facts_of(curves, planned=1000)) is not None
    assert trivial_pairs(facts_of({"rewards/accuracies": LATE[:20]}, planned=200)) is None


def test_held_out_pairs_that_go_against_training_pairs() -> None:
    curves = {
        "rewards/accuracies": noisy(0, [0.5 + 0.01 * i for i in range(30)], 0.02),
        "eval_rewards/accuracies": [(100, 0.4), (300, 0.25)],
    }
    finding = reversed_columns(facts_of(curves, held_out=200))
    assert finding is not None
    assert finding.severity == "warning"
    for held, examples in ((0.47, 1000), (0.38, 20), (0.7, 200)):
        near = {**curves, "eval_rewards/accuracies": [(300, held)]}
        assert reversed_columns(facts_of(near, held_out=examples)) is None


def test_rejected_completions_that_are_likelier_from_the_start_are_a_note() -> None:
    finding = reversed_columns(facts_of({"eval_logps/accuracies": [(0, 0.2), (100, 0.5)]}, held_out=500))
    assert finding is not None
    assert (finding.severity, finding.sure) == ("note", "possible")
    assert reversed_columns(facts_of({"eval_logps/accuracies": [(0, 0.45), (100, 0.5)]}, held_out=500)) is None
    assert reversed_columns(facts_of({"eval_logps/accuracies": [(50, 0.2), (100, 0.5)]}, held_out=500)) is None


def test_ties_at_the_first_step_are_no_accuracy() -> None:
    """Policy and reference are the same model there, and TRL logs an accuracy of zero."""
    log = examine(QUICKSTART).facts.log
    assert log is not None
    assert log.curve("rewards/margins").at[0] == 1
    assert log.curve("rewards/accuracies").at[0] == 10
