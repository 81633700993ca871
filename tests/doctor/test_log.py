"""Curves and the log that they make."""

from __future__ import annotations

import math

import pytest

from tests.doctor.made import log_of
from tiebreak.doctor.log import Curve, said


def test_a_curve_is_cut_after_one_place_and_up_to_another() -> None:
    curve = Curve((10, 20, 30), (3.0, 1.0, 2.0))
    assert curve.between(10, 20) == Curve((20,), (1.0,))
    assert curve.between(-1, 5) == Curve()
    assert (len(curve), curve.lowest, bool(Curve())) == (3, 1, False)


def test_what_is_not_finite_is_left_out_of_a_curve_and_stays_in_the_log() -> None:
    log = log_of({"loss": [(1, 0.6), (2, math.nan), (3, 0.5), (4, math.inf)]})
    assert log.curve("loss") == Curve((1, 3), (0.6, 0.5))
    assert len(log.curves["loss"]) == 4
    assert not log.has("eval_loss")


@pytest.mark.parametrize(("at", "epoch"), [(0, 0.0), (50, 0.5), (100, 1.0), (150, 1.25), (200, 1.5), (400, 3.0)])
def test_the_epoch_at_a_step_is_by_proportion(at: float, epoch: float) -> None:
    log = log_of({"loss": [(100, 0.6), (200, 0.5)]}, epochs=[(100, 1.0), (200, 1.5)])
    assert log.epoch_at(at) == pytest.approx(epoch)


def test_the_epoch_is_unknown_where_nobody_says_it() -> None:
    assert log_of({"loss": [(100, 0.6)]}).epoch_at(50) is None
    assert log_of({"loss": [(1, 0.6)]}, axis="end").epoch_at(1) is None
    assert log_of({"loss": [(2, 0.6)]}, axis="epoch").epoch_at(1.5) == 1.5


def test_how_long_a_run_is() -> None:
    assert log_of({"loss": [(1000, 0.6)], "eval_loss": [(1200, 0.6)]}).said_length == "1,200 steps"
    assert log_of({"loss": [(3, 0.6)]}, axis="epoch").said_length == "3 epochs"
    assert log_of({"loss": [(1, 0.6)]}, axis="end").said_length == "the end of a run"
    assert log_of({"loss": [(10, 0.6)]}, planned=50).length == 50


def test_a_metric_in_words() -> None:
    assert said("eval_rewards/accuracies") == "held-out accuracy"
    assert said("loss") == "training loss"
    assert said("grad_norm") == "gradient norm"
    figure = log_of({"loss": [(1, 0.6)]}, axis="end").figure("loss", 1, 0.6)
    assert figure.text == "training loss 0.6000"
