"""A call that is required has the keys of the model's own notation, and arguments of the tool's schema."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("llguidance", reason="needs the grammar library: pip install 'tiebreak[json]'")

from llguidance import LLMatcher
from llguidance.hf import from_tokenizer

from tests.data.preparing.chat_templates import LLAMA31, QWEN25
from tests.generation.tool_templates import HERMES, LISTED, MISTRAL3, NAMED, tokenizer_of
from tiebreak.data.preparing.templates import Renderer
from tiebreak.errors import InputError
from tiebreak.generation.tool_choice import RequiredCall, required_call
from tiebreak.generation.tool_notation import found_notation

POINT = {"type": "object", "properties": {"y": {"type": "integer"}}, "required": ["y"], "additionalProperties": False}
ADD = {
    "type": "object",
    "properties": {"x": {"$ref": "#/$defs/Point"}},
    "required": ["x"],
    "additionalProperties": False,
    "$defs": {"Point": POINT},
}
OTHER = {**ADD, "properties": {"x": {"type": "boolean"}}, "$defs": {}}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": p}} for name, p in (("add", ADD), ("or", OTHER))]
NOW = {"type": "function", "function": {"name": "now"}}


def required(template: str, tools: list[Any], *, several: bool = True) -> RequiredCall:
    notation = found_notation(Renderer(tokenizer_of(template), "chat"))
    assert notation is not None
    return required_call(notation, tools, several=several)


def fits(call: RequiredCall, text: str) -> bool:
    tokenizer = tokenizer_of(HERMES)
    matcher = LLMatcher(from_tokenizer(tokenizer), LLMatcher.grammar_from_json_schema(json.dumps(call.schema)))
    assert not matcher.is_error(), matcher.get_error()
    ids = tokenizer.encode(text, add_special_tokens=False)
    return bool(matcher.try_consume_tokens(ids) == len(ids) and matcher.is_accepting())


@pytest.mark.parametrize(
    ("template", "text", "expected"),
    [
        (HERMES, '{"name": "add", "arguments": {"x": {"y": 3}}}', True),
        (HERMES, '{"name": "or", "arguments": {"x": true}}', True),
        (HERMES, '{"name": "or", "arguments": {"x": {"y": 3}}}', False),
        (HERMES, '{"name": "add", "arguments": {"x": {"y": "3"}}}', False),
        (HERMES, '{"name": "add", "arguments": {}}', False),
        (HERMES, '{"name": "sub", "arguments": {"x": {"y": 3}}}', False),
        (HERMES, '{"name": "add", "parameters": {"x": {"y": 3}}}', False),
        (LLAMA31, '{"name": "add", "parameters": {"x": {"y": 3}}}', True),
        (LISTED, '[{"name": "or", "arguments": {"x": true}}, {"name": "add", "arguments": {"x": {"y": 3}}}]', True),
        (LISTED, "[]", False),
        (MISTRAL3, '[{"name": "or", "arguments": {"x": true}, "id": "abcDEF123"}]', True),
        (MISTRAL3, '[{"name": "or", "arguments": {"x": true}, "id": "abc"}]', False),
    ],
)
def test_only_calls_that_fit_can_be_written(template: str, text: str, expected: bool) -> None:
    assert fits(required(template, TOOLS), text) is expected


def test_a_list_holds_one_call_where_several_are_not_wanted() -> None:
    two = '[{"name": "or", "arguments": {"x": true}}, {"name": "or", "arguments": {"x": true}}]'
    assert fits(required(LISTED, TOOLS), two)
    assert not fits(required(LISTED, TOOLS, several=False), two)


def test_a_name_before_the_arguments_stands_in_the_prompt() -> None:
    call = required(NAMED, TOOLS[:1])
    assert (call.begun, call.name) == ("<function=add>", "add")
    assert fits(call, '{"x": {"y": 3}}')
    assert required(QWEN25, TOOLS[:1]).begun == '<tool_call>\n"add" '
    with pytest.raises(InputError, match="name of a tool before its arguments"):
        required(NAMED, TOOLS)


def test_a_tool_without_parameters_takes_none() -> None:
    call = required(HERMES, [NOW])
    assert fits(call, '{"name": "now", "arguments": {}}')
    assert not fits(call, '{"name": "now", "arguments": {"a": 1}}')
