"""How a model writes calls is seen in what its template writes, whatever the model is called."""

from __future__ import annotations

from typing import Any

import pytest

from tests.data.preparing.chat_templates import LLAMA31, MISTRAL, QWEN3, QWEN25
from tests.generation.tool_templates import (
    HERMES,
    INSTRUCTED,
    LISTED,
    MISTRAL3,
    NAMED,
    PLAIN,
    PYTHON_TAG,
    UNNAMED,
    XML,
    tokenizer_of,
)
from tiebreak.data.preparing.templates import Renderer
from tiebreak.generation.tool_notation import found_notation, read_call


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (HERMES, (("<tool_call>",), "</tool_call>", "object", "<tool_call>\n", True)),
        (LISTED, (("<tool_call>",), "</tool_call>", "list", "<tool_call>", True)),
        (PLAIN, (("",), None, "object", "", True)),
        (LLAMA31, (("",), None, "object", "", False)),
        (PYTHON_TAG, (("", "<|python_tag|>"), None, "object", "", False)),
        (MISTRAL3, (("[TOOL_CALLS]",), None, "list", "[TOOL_CALLS] ", True)),
        (MISTRAL, (("[TOOL_CALLS]",), None, "object", "[TOOL_CALLS]", True)),
        (NAMED, (("<function=",), "</function>", "named", "<function=", True)),
        (QWEN25, (('<tool_call>\n"',), "</tool_call>", "named", '<tool_call>\n"', True)),
        (INSTRUCTED, (("<tool_call>",), "</tool_call>", "object", "<tool_call>\n", True)),
        (UNNAMED, (("",), None, "object", "", True)),
    ],
)
def test_what_stands_around_a_call_is_found_in_the_template(template: str, expected: tuple[Any, ...]) -> None:
    found = found_notation(Renderer(tokenizer_of(template), "chat"))
    assert found is not None
    closing = found.closings[0] if found.closings else None
    assert (found.openings, closing, found.shape, found.begun, found.several) == expected


def test_a_thought_before_the_call_is_none_of_what_opens_it() -> None:
    found = found_notation(Renderer(tokenizer_of(QWEN3), "chat"))
    assert found is not None
    assert "think" not in found.openings[0]
    assert found.begun.startswith("<think>\n\n</think>\n\n")


def test_a_notation_without_json_is_not_guessed() -> None:
    assert found_notation(Renderer(tokenizer_of(XML), "chat")) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"name": "f", "arguments": {"a": 1}}, ("f", {"a": 1})),
        ({"name": "f", "parameters": {"a": 1}}, ("f", {"a": 1})),
        ({"name": "f", "arguments": '{"a": 1}'}, ("f", {"a": 1})),
        ({"type": "function", "function": {"name": "f", "arguments": {}}}, ("f", {})),
        ({"tool_name": "f", "parameters": {}}, ("f", {})),
        ({"name": "f"}, ("f", {})),
        ({"name": "f", "arguments": [1]}, None),
        ({"name": "f", "arguments": "{"}, None),
        ({"name": 3, "arguments": {}}, None),
        ({}, None),
    ],
)
def test_a_call_is_read_with_the_keys_that_models_write(value: Any, expected: Any) -> None:
    assert read_call(value) == expected
