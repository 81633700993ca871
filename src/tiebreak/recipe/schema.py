"""The JSON Schema of a recipe, by which editors complete and check a file while it is written.

`recipe.schema.json` beside this module is what `recipe_schema` gives; a test keeps them equal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tiebreak.objectives.registry import known_settings
from tiebreak.recipe.keys import keys_of
from tiebreak.recipe.objective_section import ObjectiveSection
from tiebreak.recipe.recipe import Recipe

SCHEMA_FILE = Path(__file__).parent / "recipe.schema.json"
"""The schema as it is installed."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def recipe_schema() -> dict[str, Any]:
    """What a recipe file may say, as JSON Schema (draft 2020-12), with a sentence and the default of each key."""
    schema = Recipe.model_json_schema(by_alias=True)
    schema["$defs"]["ObjectiveSection"] = _objective(schema["$defs"]["ObjectiveSection"])
    return {"$schema": _DIALECT, **schema, "title": "A recipe of Tiebreak"}


def schema_text() -> str:
    """The same as the text of a file."""
    return json.dumps(recipe_schema(), indent=2, ensure_ascii=False) + "\n"


def _objective(section: dict[str, Any]) -> dict[str, Any]:
    """The objective's section with the settings of all objectives; a loss from outside may have any besides."""
    described = ObjectiveSection.further_keys()
    settings = {
        key: {**ObjectiveSection.further_schema(key), "default": None, "description": described[key]}
        for key in known_settings()
    }
    outside = {"properties": {"name": {"pattern": ":"}}, "required": ["name"]}
    added = {"properties": {"add": {"not": {"propertyNames": {"not": {"pattern": ":"}}}}}, "required": ["add"]}
    return {
        **section,
        "properties": {**section["properties"], **settings},
        "if": {"not": {"anyOf": [outside, added]}},
        "then": {"propertyNames": {"enum": keys_of(ObjectiveSection)}},
    }
