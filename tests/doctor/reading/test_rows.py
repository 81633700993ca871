"""Rows to curves: numbers as people write them, ties, and rows that are not of one run."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tiebreak.doctor.log import Curve, TrainingLog
from tiebreak.doctor.reading.names import named_columns
from tiebreak.doctor.reading.rows import LoggedRows
from tiebreak.errors import InputError


def logged(*rows: dict[str, Any], null: float | None = None) -> TrainingLog:
    names = named_columns(dict.fromkeys(column for row in rows for column in row))
    return LoggedRows(rows, names, "made", "made", lambda index: f"made, row {index + 1}", null).log()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5),
        (" 5e-1 ", 0.5),
        ("0,5", 0.5),
        ("−0.5", -0.5),
        ("nan", math.nan),
        ("Infinity", math.inf),
        ("-inf", -math.inf),
        (7, 7.0),
        (10**400, math.inf),
        ("No log", None),
        ("–", None),
        ("", None),
        (None, None),
    ],
)
def test_a_number_as_it_is_written(text: Any, value: float | None) -> None:
    curve = logged({"step": 1, "loss": text, "eval_loss": 1.0}).curves.get("loss", Curve())
    assert str(curve.values) == str(() if value is None else (value,))


def test_a_share_in_percent_and_steps_with_commas() -> None:
    log = logged({"step": "1,000", "accuracy": "64.0%"}, {"step": "2,000", "accuracy": "50%"})
    assert log.curve("rewards/accuracies") == Curve((1000, 2000), (0.64, 0.5))
    assert logged({"step": 1, "accuracy": 64.0}).curve("rewards/accuracies").values == (0.64,)


def test_what_is_no_number_is_said_with_its_column_and_row() -> None:
    with pytest.raises(InputError, match="'about a half' in the column 'loss' is no number") as raised:
        logged({"step": 1, "loss": 0.6}, {"step": 2, "loss": "about a half"})
    assert raised.value.where == "made, row 2"


@pytest.mark.parametrize("share", [-0.1, 100.5, 1e300])
@pytest.mark.parametrize("name", ["rewards/accuracies", "eval_logps/accuracies"])
def test_an_accuracy_that_is_no_share_is_refused(name: str, share: float) -> None:
    with pytest.raises(InputError, match=f"'{name}' is no share"):
        logged({"step": 1, name: share, "loss": 0.6})


@pytest.mark.parametrize("place", [math.nan, math.inf])
def test_a_step_has_to_be_finite_and_an_epoch_that_is_not_is_unknown(place: float) -> None:
    with pytest.raises(InputError, match="step of the row is not finite"):
        logged({"step": 1, "loss": 0.6}, {"step": place, "loss": 0.5})
    log = logged({"step": 1, "loss": 0.6, "epoch": 0.5}, {"step": 2, "loss": 0.5, "epoch": place})
    assert log.epochs == ((1, 0.5),)


def test_an_accuracy_of_ties_is_none() -> None:
    log = logged({"step": 1, "accuracy": 0.0, "margin": 0.0}, {"step": 2, "accuracy": 0.8, "margin": 0.1})
    assert log.curve("rewards/accuracies") == Curve((2,), (0.8,))
    assert not logged({"step": 1, "accuracy": 0.0, "margin": 0.0}).has("rewards/accuracies")


def test_null_is_not_finite_in_a_log_and_nothing_in_a_table() -> None:
    rows = ({"step": 1, "loss": 0.6}, {"step": 2, "loss": None})
    assert len(logged(*rows, null=math.nan).curves["loss"]) == 2
    assert len(logged(*rows).curves["loss"]) == 1


def test_training_and_evaluation_of_one_step_are_two_rows() -> None:
    log = logged({"step": 10, "loss": 0.6}, {"step": 10, "eval_loss": 0.7}, {"step": 20, "loss": 0.5})
    assert (log.curve("loss").at, log.curve("eval_loss").at) == ((10, 20), (10,))


def test_a_second_evaluation_of_a_step_is_of_the_best_model() -> None:
    log = logged({"step": 10, "eval_loss": 0.7}, {"step": 20, "eval_loss": 0.9}, {"step": 20, "eval_loss": 0.7})
    assert log.curve("eval_loss").values == (0.7, 0.9)


@pytest.mark.parametrize(
    "rows",
    [
        ({"step": 10, "loss": 0.6}, {"step": 20, "loss": 0.5}, {"step": 10, "loss": 0.6}),
        ({"step": 10, "loss": 0.6}, {"step": 10, "loss": 0.5}),
        ({"epoch": 1, "loss": 0.6}, {"epoch": 1, "loss": 0.5}),
    ],
)
def test_rows_of_two_runs_are_refused(rows: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(InputError, match="more than one run"):
        logged(*rows)


def test_rows_without_a_place_are_refused_but_one_is_the_end_of_a_run() -> None:
    assert logged({"loss": 0.6}).axis == "end"
    with pytest.raises(InputError, match="neither a step nor an epoch"):
        logged({"loss": 0.6}, {"loss": 0.5})


def test_rows_without_a_metric_are_refused() -> None:
    for rows in ((), ({"step": 1, "tokens": 3},), ({"step": 1, "loss": "No log"},)):
        with pytest.raises(InputError, match="no metric of a training"):
            logged(*rows)


def test_the_number_of_held_out_examples_follows_from_their_speed() -> None:
    row = {"eval_loss": 0.6, "eval_runtime": 2.1657, "eval_samples_per_second": 207.784}
    assert logged({"step": 1, **row}).held_out == 450
    assert logged({"step": 1, **row}, {"step": 2, **row, "eval_runtime": 9.0}).held_out is None
    assert logged({"step": 1, "eval_loss": 0.6}).held_out is None
