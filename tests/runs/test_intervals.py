"""Intervals of shares that were counted and of what a judge said, and of nothing else."""

from __future__ import annotations

import pytest

from tests.report.made import manifest_of, supervised_manifest
from tiebreak.formatting.numbers import wilson
from tiebreak.runs.intervals import intervals
from tiebreak.runs.manifest import Manifest


def test_the_metrics_that_have_one_after_training() -> None:
    found = intervals(manifest_of(), "after")
    assert found == {
        "eval_rewards/accuracies": wilson(0.8125, 400),
        "judge.pass_rate": (0.849, 0.912),
        "judge.win_rate": (0.902, 0.952),
    }


def test_before_training_a_model_against_itself_has_no_accuracy() -> None:
    assert intervals(manifest_of(), "before") == {"judge.pass_rate": (0.267, 0.357)}
    without_reference = {"eval_rewards/accuracies": 0.6, "eval_rewards/margins": 2.0}
    found = intervals(manifest_of(before=without_reference, judge=None), "before")
    assert found == {"eval_rewards/accuracies": wilson(0.6, 400)}


@pytest.mark.parametrize(
    "manifest",
    [
        Manifest(),
        supervised_manifest(),
        manifest_of(judge=None, data={"source": "x"}),  # of how many pairs is not known
        manifest_of(judge=None, after={"eval_rewards/accuracies": float("nan"), "eval_rewards/margins": 1.0}),
        manifest_of(judge=None, after={"eval_rewards/accuracies": 0.0, "eval_rewards/margins": 0.0}),
    ],
)
def test_what_was_not_counted_has_none(manifest: Manifest) -> None:
    assert intervals(manifest, "after") == {}
