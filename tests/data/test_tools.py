"""Tools and calls: every way in which people write them becomes one, and what is none is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tiebreak.data.tools import calls_text, from_text, tools_text

SCHEMA: dict[str, Any] = {
    "name": "weather",
    "description": "Weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "day": {"default": None}}},
}
OPENAI = {"type": "function", "function": SCHEMA}


@pytest.mark.parametrize(
    "value",
    [
        json.dumps([OPENAI]),
        json.dumps(OPENAI),
        json.dumps([SCHEMA]),
        [json.dumps(SCHEMA)],
        json.dumps([{"type": "function", **SCHEMA}]),
        [{"type": "function", "function": SCHEMA | {"parameters": json.dumps(SCHEMA["parameters"])}}],
    ],
)
def test_a_tool_is_the_same_however_it_is_written(value: Any) -> None:
    assert from_text(tools_text(value)) == [OPENAI]


def test_a_table_fills_keys_with_null_and_json_text_means_null() -> None:
    of_table = [{"type": "function", "function": {"name": "f", "description": None, "parameters": {"a": None}}}]
    assert from_text(tools_text(of_table)) == [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    said = [{"function": {"name": "f", "arguments": '{"a": null}'}}]
    assert from_text(calls_text(said)) == [{"type": "function", "function": {"name": "f", "arguments": {"a": None}}}]


@pytest.mark.parametrize(
    "value",
    [
        [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": "\u0e01"}'}}],
        [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"x": "\u0e01"}}}],
        json.dumps([{"id": "c1", "name": "f", "arguments": {"x": "\u0e01"}}]),
        {"id": "c1", "name": "f", "parameters": {"x": "\u0e01"}},
    ],
)
def test_a_call_is_the_same_however_it_is_written(value: Any) -> None:
    text = calls_text(value)
    assert from_text(text) == [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"x": "\u0e01"}}}
    ]
    assert text is not None
    assert "\u0e01" in text  # as it is, not escaped
    assert calls_text(text) == text


@pytest.mark.parametrize("value", [None, [], "", " ", "[]", "null", {}])
def test_nothing_is_nothing(value: Any) -> None:
    assert tools_text(value) is None
    assert calls_text(value) is None
    assert from_text(None) is None


@pytest.mark.parametrize("value", ["{", "[1]", [{}], [{"name": ""}], 3, [{"function": "f"}], '[{"name": "\\ud800"}]'])
def test_what_is_no_tool_is_said(value: Any) -> None:
    with pytest.raises(ValueError, match=r"tool|JSON|surrogate"):
        tools_text(value)


@pytest.mark.parametrize(
    "value",
    ["{", [{"function": {"arguments": {}}}], [{"name": "f", "arguments": "[1]"}], [{"name": "f", "arguments": "x"}]],
)
def test_what_is_no_call_is_said(value: Any) -> None:
    with pytest.raises(ValueError, match=r"call|JSON"):
        calls_text(value)
