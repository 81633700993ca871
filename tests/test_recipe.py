"""Recipes: every key documented, every mistake named with what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tiebreak.builtin import builtin_names, builtin_summary, recipe_named
from tiebreak.errors import InputError
from tiebreak.recipe import Recipe, described_keys, load_recipe, parse_recipe, parse_value


def test_a_recipe_survives_being_written_and_read(tmp_path: Path) -> None:
    recipe = Recipe(model="gpt2", data="prefs.jsonl").with_settings(
        {"train.eval_every": "epoch", "train.tokens_per_microbatch": 512, "data.schema": "text"}
    )
    file = tmp_path / "recipe.yaml"
    file.write_text(recipe.to_yaml())
    assert load_recipe(file) == recipe


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"train": {"learning_rat": 1}}, "no key 'train.learning_rat' in a recipe; did you mean 'learning_rate'?"),
        ({"trian": {}}, "no key 'trian' in a recipe; did you mean 'train'?"),
        ({"objective": {"beta": 0}}, "objective.beta: Input should be greater than 0 (got 0)"),
        ({"data": {"too_long": "cut"}}, "data.too_long: Input should be 'drop', 'trim_prompt' or 'trim_completion'"),
        ({"train": {"eval_every": 1.5}}, "train.eval_every: give 'epoch', a share of the run"),
        ({"train": {"early_stopping": 2, "keep_best": None}}, "early_stopping needs keep_best"),
        ([1, 2], "A recipe is a mapping of sections."),
    ],
)
def test_a_mistake_is_named(document: object, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_recipe(document, where="mine.yaml")
    assert says in str(caught.value)
    assert caught.value.where == "mine.yaml"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "value"), [("1e-6", 1e-6), ("3", 3), ("null", None), ("true", True), ("[1, 2]", [1, 2]), ("gpt2", "gpt2")]
)
def test_values_of_set_mean_what_they_say(text: str, value: object) -> None:
    assert parse_value(text) == value


def test_numbers_as_people_write_them_are_numbers(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("train: {learning_rate: 1e-6}\n")
    assert load_recipe(file).train.learning_rate == 1e-6


def test_a_recipe_that_is_not_there_or_not_yaml_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no recipe file"):
        load_recipe(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("train: [1")
    with pytest.raises(InputError, match="not valid YAML"):
        load_recipe(tmp_path / "bad.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        load_recipe(tmp_path / "bytes.yaml")


def test_every_key_has_a_sentence() -> None:
    keys = described_keys()
    assert {key.split(".")[0] for key, _, _ in keys} == set(Recipe.model_fields)
    for key, default, sentence in keys:
        assert sentence.endswith("."), key
        assert yaml.safe_load(default) is not Ellipsis


@pytest.mark.parametrize("name", builtin_names())
def test_built_in_recipes_are_valid_and_say_what_they_are(name: str) -> None:
    assert recipe_named(name)
    assert len(builtin_summary(name)) > 10


def test_an_unknown_built_in_recipe_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        recipe_named("quickstat")
    assert caught.value.fix == "did you mean 'quickstart'?"
