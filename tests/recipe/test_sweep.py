"""The section `sweep`: what it takes, how it looks where nobody says, and what does not go together."""

from __future__ import annotations

from typing import Any

import pytest

from tiebreak.errors import InputError
from tiebreak.recipe import parse_recipe, read_recipe
from tiebreak.recipe.sweep import SweepSection


def test_a_file_says_what_is_varied_and_a_recipe_without_it_is_one_run() -> None:
    recipe = read_recipe("sweep: {over: {train.learning_rate: {log: [1e-7, 1e-5]}, objective.beta: [0.05]}}", where="f")
    assert recipe.sweep is not None
    assert recipe.sweep.over == {"train.learning_rate": {"log": [1e-7, 1e-5]}, "objective.beta": [0.05]}
    assert read_recipe(recipe.to_yaml(), where="again") == recipe
    assert parse_recipe({}, where="x").sweep is None


@pytest.mark.parametrize(
    ("section", "method"),
    [
        ({"over": {"a": [1, 2]}}, "grid"),
        ({"over": {"a": [1, 2], "b": {"range": [1, 2]}}}, "tpe"),
        ({"over": {"a": {"range": [1, 2], "points": 2}}}, "grid"),
        ({"over": {"a": [1, 2]}, "search": "random"}, "random"),
    ],
)
def test_lists_are_a_grid_and_a_range_is_searched(section: dict[str, Any], method: str) -> None:
    assert SweepSection.model_validate(section).method == method


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"over": {"train.lr": {"log": [1e-5, 1e-7]}}}, "train.lr: the ends are swapped"),
        ({"over": [1]}, "a mapping from keys"),
        ({"over": {"a": {"range": [0, 1]}}, "search": "grid"}, "how many values of a it tries"),
        ({"prune": "median", "objective": ["eval_loss", "train_seconds"]}, "by one metric"),
        ({"objective": []}, "objective is empty"),
        ({"objective": ["eval_loss", "eval_loss"]}, "twice"),
        ({"seeds": 0}, "seeds"),
        ({"trails": 3}, "did you mean 'trials'"),
    ],
)
def test_what_does_not_go_together_is_said(section: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_recipe({"sweep": section}, where="mine.yaml")
