"""The JSON Schema of a recipe takes what Tiebreak takes, and the installed copy is the newest."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
import yaml

from tiebreak.errors import InputError
from tiebreak.recipe import Recipe, parse_recipe
from tiebreak.recipe.builtin import builtin_names, builtin_text
from tiebreak.recipe.schema import SCHEMA_FILE, recipe_schema, schema_text

VALIDATOR = jsonschema_rs.validator_for(recipe_schema())


def test_the_installed_copy_is_the_newest() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), (
        "run: tiebreak recipes schema --force src/tiebreak/recipe/recipe.schema.json"
    )


@pytest.mark.parametrize("name", builtin_names())
def test_built_in_recipes_are_valid(name: str) -> None:
    VALIDATOR.validate(yaml.safe_load(builtin_text(name)))


def test_a_recipe_written_out_is_valid() -> None:
    whole = Recipe(model={"name": "a", "adapter": "lora"}, objective={"name": "simpo", "beta": 2, "add": {"nll": 0.2}})
    VALIDATOR.validate(yaml.safe_load(whole.to_yaml()))


@pytest.mark.parametrize(
    ("document", "valid"),
    [
        ({"model": "gpt2", "data": "a.jsonl", "objective": "dpo", "track": "wandb"}, True),
        ({"model": {"adapter": {"kind": "dora", "targets": "q_proj"}}}, True),
        ({"objective": {"name": "mine:loss", "anything": 1}}, True),
        ({"objective": {"add": {"mine:loss": 1.0}, "anything": 1}}, True),
        ({"train": {"eval_every": "epoch", "learning_rate": "auto", "save_every": None}}, True),
        ({"objective": {"betta": 1}}, False),
        ({"objective": "dpoo"}, False),
        ({"model": {"adapter": "qlora"}}, False),
        ({"train": {"lr": 1}}, False),
        ({"train": {"batch_size": 0}}, False),
        ({"track": ["wandbb"]}, False),
    ],
)
def test_it_says_what_the_recipe_says(document: dict[str, Any], valid: bool) -> None:
    assert VALIDATOR.is_valid(document) == valid
    if not valid and document.get("objective") != "dpoo":  # which resolving the recipe finds
        with pytest.raises(InputError):
            parse_recipe(document, where="here")
    elif valid:
        parse_recipe(document, where="here")


def test_every_key_has_a_sentence_for_the_editor() -> None:
    schema = recipe_schema()
    for section in schema["$defs"].values():
        assert all(value.get("description") for value in section["properties"].values())
