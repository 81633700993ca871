"""Means over the examples that a metric applies to; and the rows that are named where a number is not finite."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, tensor

from tiebreak.training.means import Means, SoFar, divided, not_finite

NAN = float("nan")


def test_a_mean_is_over_all_examples_not_over_the_means_of_parts() -> None:
    means = Means()
    means.add({"a": tensor([1.0, 2.0, 3.0])})
    means.add({"a": tensor([10.0])})
    assert means.take() == {"a": 4.0}


def test_a_metric_counts_only_the_examples_that_it_applies_to() -> None:
    means = Means()
    means.add({"a": tensor([1.0, NAN, 5.0]), "b": tensor([NAN, NAN, NAN])})
    assert means.take() == {"a": 3.0}
    means.add({"b": tensor([NAN, 7.0])})
    means.add({"b": tensor([NAN])})
    assert means.take() == {"b": 7.0}


def test_what_is_infinite_is_not_hidden() -> None:
    means = Means()
    means.add({"a": tensor([1.0, float("inf")])})
    assert means.take() == {"a": float("inf")}


def test_what_was_taken_is_not_counted_again() -> None:
    means = Means()
    assert means.take() == {}
    means.add({"a": tensor([1.0])})
    assert means.take() == {"a": 1.0}
    assert means.take() == {}


def test_examples_may_count_differently() -> None:
    means = Means()
    means.add_weighted("loss", tensor([6.0, 2.0]), tensor([3.0, 1.0]))
    means.add_weighted("loss", tensor([8.0]), tensor([4.0]))
    assert means.take() == {"loss": 2.0}


def test_a_metric_that_weighs_nothing_is_dropped() -> None:
    means = Means()
    means.add_weighted("loss", tensor([0.0]), tensor([0.0]))
    assert means.take() == {}


@pytest.mark.parametrize("cut", [1, 2, 4])
def test_parts_that_are_merged_are_the_whole(cut: int) -> None:
    a, b = tensor([1.0, NAN, 3.0, 4.0, 0.5]), tensor([NAN, 2.0, NAN, NAN, NAN])

    def of(*parts: tuple[Tensor, Tensor]) -> dict[str, float]:
        total = Means()
        for one, two in parts:
            part = Means()
            part.add({"a": one, "b": two})
            total.merge(part)
        return total.take()

    assert of((a[:cut], b[:cut]), (a[cut:], b[cut:])) == of((a, b)) == {"a": 2.125, "b": 2.0}


def test_merging_leaves_the_other_as_it_is() -> None:
    one, other = Means(), Means()
    one.add({"a": tensor([1.0])})
    other.add({"a": tensor([3.0])})
    one.merge(other)
    one.merge(other)
    assert other.take() == {"a": 3.0}
    assert one.take() == {"a": pytest.approx(7 / 3)}


def test_many_small_values_lose_nothing_to_float32() -> None:
    means = Means()
    means.add({"a": tensor([1e8])})
    for _ in range(100):
        means.add({"a": tensor([1.0])})
    assert means.take()["a"] * 101 == pytest.approx(1e8 + 100, abs=1e-3)


def test_sums_and_counts_are_stacked_by_name_for_others_to_add() -> None:
    means = Means()
    means.add({"b": tensor([1.0, NAN]), "a": tensor([2.0, 4.0])})
    names, sums = means.stacked()
    assert names == ["a", "b"]
    assert torch.equal(sums, tensor([[6.0, 1.0], [2.0, 1.0]], dtype=torch.float64))
    assert divided(names, 2 * sums) == {"a": 3.0, "b": 1.0}
    assert Means().stacked()[1].shape == (2, 0)


@pytest.mark.parametrize(
    ("losses", "where"),
    [
        ([1.0, math.nan, 2.0], "row 11 of the training data"),
        ([math.inf, 1.0, -math.inf], "rows 10, 12 of the training data"),
        ([1e38, 1.0, math.nan], "row 12 of the training data"),
    ],
)
def test_the_rows_whose_loss_is_not_finite_are_named(losses: list[float], where: str) -> None:
    assert not_finite("The loss is not finite at step 2.", losses, [10, 11, 12]).where == where


def test_no_more_than_ten_rows_are_named() -> None:
    where = not_finite("The loss is not finite.", [math.nan] * 30, range(30)).where
    assert where == "rows 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 of the training data"


def test_where_no_row_is_known_none_is_named_and_what_to_do_is_said() -> None:
    error = not_finite("The gradient is not finite at step 2.")
    assert error.where is None
    assert "train.learning_rate" in str(error)


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize("saved", [True, False])
def test_no_rate_is_blamed_before_a_step_and_no_checkpoint_named_that_is_not_there(begun: bool, saved: bool) -> None:
    fix = str(not_finite("The loss is not finite at step 1.", so_far=SoFar(begun, saved)).fix)
    assert ("learning_rate" in fix) == begun
    assert ("checkpoint" in fix) == saved
    assert "train.precision=fp32" in fix
