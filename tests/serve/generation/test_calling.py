"""Tools of models on this machine, as the `openai` client sees them."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("openai", reason="needs the client: pip install openai")

from openai import BadRequestError, OpenAI

from tests.serve.caller import ADD, ANSWER, ARGUMENTS, QUESTION

ASKED: dict[str, Any] = {
    "model": "caller",
    "messages": [{"role": "user", "content": QUESTION}],
    "tools": [ADD],
    "temperature": 0,
    "max_tokens": 100,
}
NAMED: dict[str, Any] = {"type": "function", "function": {"name": "turn"}}
WAY = {"$defs": {"Way": {"enum": ["left", "right"]}}, "properties": {"way": {"$ref": "#/$defs/Way"}}}
TURN: dict[str, Any] = {
    "type": "function",
    "function": {"name": "turn", "parameters": {**WAY, "required": ["way"], "additionalProperties": False}},
}
GO = {"type": "function", "function": {**TURN["function"], "name": "go"}}
FORM = {"type": "json_object"}


@pytest.fixture(scope="module")
def client(calling_server: str) -> OpenAI:
    return OpenAI(base_url=f"{calling_server}/v1", api_key="none", max_retries=0)


def asked(client: OpenAI, **more: Any) -> Any:
    return client.chat.completions.create(**{**ASKED, **more})


def refused(client: OpenAI, **more: Any) -> BadRequestError:
    with pytest.raises(BadRequestError) as found:
        asked(client, **more)
    return found.value


def test_a_model_calls_a_tool_and_answers_with_its_result(client: OpenAI) -> None:
    done = asked(client)
    (choice,) = done.choices
    (call,) = choice.message.tool_calls
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    assert (call.type, call.function.name, json.loads(call.function.arguments)) == ("function", "add", ARGUMENTS)
    assert call.id.startswith("call_")
    history = [*ASKED["messages"], choice.message, {"role": "tool", "tool_call_id": call.id, "content": "5"}]
    after = asked(client, messages=history)
    assert (after.choices[0].finish_reason, after.choices[0].message.content) == ("stop", ANSWER)
    assert after.usage.prompt_tokens > done.usage.prompt_tokens


def test_a_stream_gives_the_call_in_parts_that_the_client_joins(client: OpenAI) -> None:
    with client.chat.completions.stream(**ASKED) as stream:
        done: Any = stream.get_final_completion()
    (call,) = done.choices[0].message.tool_calls
    assert done.choices[0].finish_reason == "tool_calls"
    assert (call.function.name, json.loads(call.function.arguments)) == ("add", ARGUMENTS)
    events = list(asked(client, stream=True, logprobs=True))
    deltas = [event.choices[0].delta for event in events]
    assert not any(delta.content for delta in deltas)
    (part,) = [delta.tool_calls[0] for delta in deltas if delta.tool_calls]
    assert (part.index, part.function.arguments) == (0, json.dumps(ARGUMENTS))
    tokens = [token for event in events if event.choices[0].logprobs for token in event.choices[0].logprobs.content]
    assert "add" in "".join(token.token for token in tokens)


@pytest.mark.parametrize("choice", ["required", NAMED])
def test_a_call_that_is_required_comes_and_fits_its_schema(client: OpenAI, choice: Any) -> None:
    pytest.importorskip("llguidance", reason="needs the grammar library: pip install 'tiebreak[json]'")
    for seed in range(2):
        done = asked(
            client,
            messages=[{"role": "user", "content": "Tell me a joke."}],
            tools=[GO, TURN],
            tool_choice=choice,
            temperature=1.0,
            seed=seed,
        )
        (call,) = done.choices[0].message.tool_calls
        assert call.function.name in ([choice["function"]["name"]] if choice is NAMED else ["go", "turn"])
        assert json.loads(call.function.arguments) in ({"way": "left"}, {"way": "right"})


def test_none_calls_nothing_and_several_answers_call_each_for_itself(client: OpenAI) -> None:
    assert asked(client, tool_choice="none").choices[0].message.tool_calls is None
    done = asked(client, n=2, parallel_tool_calls=False)
    assert [choice.finish_reason for choice in done.choices] == ["tool_calls"] * 2
    assert len({choice.message.tool_calls[0].id for choice in done.choices}) == 2


def test_a_call_that_is_cut_off_is_text(client: OpenAI) -> None:
    (choice,) = asked(client, max_tokens=12).choices
    assert (choice.finish_reason, choice.message.tool_calls) == ("length", None)
    assert choice.message.content.startswith("<tool_call>")


def test_what_cannot_be_done_is_refused_by_name(client: OpenAI, bundled_server: str) -> None:
    bundled = OpenAI(base_url=f"{bundled_server}/v1", api_key="none", max_retries=0)
    none = refused(bundled, model="bundled:base")
    assert (none.param, none.code) == ("tools", "unsupported_parameter")
    assert "'bundled:base': its chat template has no tools" in none.message
    assert refused(client, response_format=FORM).param == "response_format"
    assert refused(client, messages=[*ASKED["messages"], {"role": "assistant", "content": "It"}]).param == "messages"
    assert refused(client, tools=[ADD, ADD]).param == "tools"
    assert refused(client, tool_choice={"type": "function", "function": {"name": "mul"}}).param == "tool_choice"
    assert asked(client, tools=[], tool_choice="auto").choices[0].finish_reason in ("stop", "length")


def test_a_schema_that_cannot_be_kept_is_refused_where_a_call_is_required(client: OpenAI) -> None:
    pytest.importorskip("llguidance", reason="needs the grammar library: pip install 'tiebreak[json]'")
    odd = {"type": "function", "function": {"name": "odd", "parameters": {"properties": {"a": {"type": "colour"}}}}}
    found = refused(client, tools=[odd], tool_choice="required")
    assert found.param == "tool_choice"
    assert "schema" in found.message
