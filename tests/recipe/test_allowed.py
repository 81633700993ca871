"""What a JSON Schema allows, in words."""

from __future__ import annotations

from typing import Any

import pytest

from tiebreak.recipe.allowed import allowed_values, plain_schema


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1}, "a whole number of at least 1"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 0.5}, "a number above 0 and of at most 0.5"),
        ({"enum": ["a", 1, None, True]}, "a, 1, null or true"),
        ({"const": "auto"}, "auto"),
        ({"anyOf": [{"enum": ["a", "b"]}, {"anyOf": [{"const": "b"}, {"type": "null"}]}]}, "a, b or null"),
        ({"type": "array", "items": {"type": "string"}}, "a list of text"),
        ({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}, "a list of 2, each a number"),
        ({"type": "array"}, "a list of values"),
        ({"pattern": "x", "description": "MODULE:FUNCTION"}, "MODULE:FUNCTION"),
        ({}, "any value"),
    ],
)
def test_in_words(schema: dict[str, Any], words: str) -> None:
    assert allowed_values(schema) == words


def test_references_are_put_in() -> None:
    defs = {"Part": {"type": "object", "description": "A part.", "properties": {}}}
    schema = {"title": "X", "default": 1, "anyOf": [{"$ref": "#/$defs/Part"}, {"type": "null"}]}
    assert plain_schema(schema, defs) == {"anyOf": [{"type": "object", "description": "A part."}, {"type": "null"}]}
