"""Losses against ln 2: above it at the end, and away from it at the start."""

from __future__ import annotations

import math

import pytest

from tests.doctor.made import facts_of, noisy
from tiebreak.doctor.facts import Facts
from tiebreak.doctor.training.loss import first_loss_not_ln2, worse_than_chance_loss
from tiebreak.recipe import parse_recipe

LN2 = math.log(2)


@pytest.mark.parametrize(
    ("loss", "examples", "expected"),
    [
        (0.90, 500, "warning"),
        (0.72, 500, "note"),  # two errors of 500 pairs are 0.064
        (0.72, 20_000, "warning"),
        (0.80, None, "warning"),
        (0.72, None, "note"),
        (0.6931, 500, None),
        (0.6950, 500, None),  # rounding
        (0.60, 500, None),
    ],
)
def test_held_out_loss_above_ln_2(loss: float, examples: int | None, expected: str | None) -> None:
    finding = worse_than_chance_loss(facts_of({"eval_loss": [(100, 0.65), (200, loss)]}, held_out=examples))
    assert (finding.severity if finding else None) == expected


def test_training_loss_counts_only_where_nothing_is_held_out_and_by_its_noise() -> None:
    high = {"loss": noisy(0, [0.80] * 60, 0.05)}
    assert worse_than_chance_loss(facts_of(high)) is not None
    assert worse_than_chance_loss(facts_of({**high, "eval_loss": [(600, 0.6)]})) is None
    assert worse_than_chance_loss(facts_of({"loss": noisy(0, [LN2] * 60, 0.05)})) is None


@pytest.mark.parametrize("objective", ["ipo", "hinge", "simpo", "kto_loss:mine", "supervised"])
def test_ln_2_is_no_bound_for_other_losses(objective: str) -> None:
    assert worse_than_chance_loss(facts_of({"eval_loss": [(100, 3.0)]}, objective=objective)) is None


def test_ln_2_is_no_bound_where_something_is_added() -> None:
    facts = facts_of({"eval_loss": [(100, 3.0)]}, objective=None)
    for objective, expected in (({"name": "sigmoid"}, True), ({"name": "sigmoid", "add": {"nll": 1.0}}, False)):
        recipe = parse_recipe({"objective": objective}, where="test")
        assert (worse_than_chance_loss(Facts(log=facts.log, recipe=recipe)) is not None) is expected


def test_an_assumed_loss_is_said_and_less_sure() -> None:
    curves = {"eval_loss": [(100, 0.9)], "eval_rewards/margins": [(100, 0.1)]}
    known, assumed = (worse_than_chance_loss(facts_of(curves, objective=name)) for name in ("sigmoid", None))
    assert known is not None
    assert assumed is not None
    assert (known.sure, assumed.sure) == ("certain", "likely")
    assert "--objective" in assumed.means
    assert "--objective" not in known.means


@pytest.mark.parametrize(
    ("first", "objective", "expected"),
    [
        (0.6931, "sigmoid", None),
        (0.6990, "sigmoid", None),  # bfloat16
        (0.7200, "sigmoid", "note"),
        (0.9500, "sigmoid", "warning"),
        (0.9500, None, "note"),
        (0.9500, "simpo", None),
    ],
)
def test_the_first_loss(first: float, objective: str | None, expected: str | None) -> None:
    curves = {"loss": [(1, first), (10, 0.6)], "rewards/margins": [(1, 0.0), (10, 0.1)]}
    finding = first_loss_not_ln2(facts_of(curves, objective=objective))
    assert (finding.severity if finding else None) == expected


def test_a_sum_over_parts_of_a_step_is_told_from_another_reference() -> None:
    finding = first_loss_not_ln2(facts_of({"loss": [(1, 4 * LN2), (2, 2.7)]}))
    assert finding is not None
    assert "4 times ln 2" in finding.means


def test_silent_where_the_log_begins_later_or_is_no_preference_training() -> None:
    assert first_loss_not_ln2(facts_of({"loss": [(10, 0.5), (20, 0.4)]})) is None
    assert first_loss_not_ln2(facts_of({"loss": [(1, 2.4), (2, 2.3)]}, objective=None)) is None
    assert first_loss_not_ln2(facts_of({"loss": [(1, 0.9)]}, axis="epoch")) is None
