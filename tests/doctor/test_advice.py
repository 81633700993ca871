"""Advice is in keys of a recipe that exist, and in values that they take."""

from __future__ import annotations

import pytest

from tests.doctor.made import log_of
from tiebreak.doctor.advice import KEEP_BEST, fewer_epochs, higher_rate, larger_beta, lower_rate, written_rate
from tiebreak.doctor.facts import Facts
from tiebreak.recipe import Recipe, parse_recipe, parse_value


@pytest.mark.parametrize(("rate", "text"), [(1e-6, "1e-6"), (2.5e-5, "2.5e-5"), (1e-10, "1e-10"), (0.0001, "0.0001")])
def test_a_rate_as_a_recipe_has_it(rate: float, text: str) -> None:
    assert written_rate(rate) == text
    assert parse_value(text) == rate


def recipe_facts(**recipe: object) -> Facts:
    return Facts(recipe=parse_recipe({"model": "gpt2", **recipe}, where="test"))


def test_a_lower_and_a_higher_rate() -> None:
    assert lower_rate(Facts()) == {"train.learning_rate": "1e-6"}
    assert lower_rate(recipe_facts(train={"learning_rate": 2e-6})) == {"train.learning_rate": "1e-6"}
    assert lower_rate(recipe_facts(model="bundled:base", train={"learning_rate": 2e-4})) == {
        "train.learning_rate": "0.0001"
    }
    assert lower_rate(recipe_facts(objective="supervised", train={"learning_rate": 1e-2})) == {
        "train.learning_rate": "2e-5"
    }
    assert higher_rate(recipe_facts(train={"learning_rate": 1e-8})) == {"train.learning_rate": "1e-6"}
    assert higher_rate(recipe_facts(train={"learning_rate": 1e-5})) == higher_rate(Facts()) == {}


def test_fewer_epochs_only_where_there_were_more() -> None:
    assert fewer_epochs(recipe_facts(train={"epochs": 3})) == {"train.epochs": "1"}
    assert fewer_epochs(recipe_facts()) == fewer_epochs(Facts()) == {}
    assert fewer_epochs(Facts(log=log_of({"loss": [(3, 0.1)]}, axis="epoch"))) == {"train.epochs": "1"}


def test_a_larger_beta_only_where_it_is_known() -> None:
    assert larger_beta(recipe_facts(objective={"name": "sigmoid", "beta": 0.05})) == {"objective.beta": "0.1"}
    assert larger_beta(recipe_facts()) == larger_beta(Facts()) == {}


def test_what_is_kept_is_a_recipe() -> None:
    Recipe().with_settings({key: parse_value(value) for key, value in KEEP_BEST.items()})
