"""Messages with calls and results become turns, or are refused where they do not belong together."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tiebreak.data.preference import Message
from tiebreak.serve.api.errors import RequestFailed
from tiebreak.serve.api.histories import text_of, turns_of
from tiebreak.serve.api.requests import ChatMessage

ASKED = {"role": "user", "content": "2 and 3?"}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "5"}]}


def call(arguments: str = '{"a": 2}', name: str = "c1") -> dict[str, Any]:
    return {"id": name, "type": "function", "function": {"name": "add", "arguments": arguments}}


def calling(*calls: dict[str, Any], content: Any = None) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


def turns(*messages: dict[str, Any]) -> tuple[Message, ...]:
    return turns_of([ChatMessage.model_validate(message) for message in messages])


def test_calls_and_results_become_turns() -> None:
    system = {"role": "developer", "content": "Be brief."}
    found = turns(system, ASKED, calling(call(), call("", "c2"), content="Let me see."), RESULT)
    assert found[:2] == (Message("system", "Be brief."), Message("user", "2 and 3?"))
    calls = json.loads(found[2].tool_calls or "")
    assert (found[2].role, found[2].content) == ("assistant", "Let me see.")
    assert [one["function"]["arguments"] for one in calls] == [{"a": 2}, {}]
    assert found[3] == Message("tool", "5", tool_call_id="c1", name="add")


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([ASKED, RESULT], "messages.1.tool_call_id"),
        ([ASKED, calling(call()), {"role": "tool", "content": "5"}], "messages.2.tool_call_id"),
        ([ASKED, calling(call()), {**RESULT, "tool_call_id": "c2"}], "messages.2.tool_call_id"),
        ([ASKED, calling(call("2, 3")), RESULT], "messages.1.tool_calls.0.function.arguments"),
        ([ASKED, calling(call(), call("[2]", "c2")), RESULT], "messages.1.tool_calls.1.function.arguments"),
        ([ASKED, calling(call())], "messages.1.tool_calls"),
    ],
)
def test_what_does_not_belong_together_is_refused(messages: list[dict[str, Any]], param: str) -> None:
    with pytest.raises(RequestFailed) as refused:
        turns(*messages)
    assert (refused.value.status, refused.value.param) == (400, param)


def test_the_text_of_a_turn_leaves_calls_out() -> None:
    assert text_of(ChatMessage.model_validate(calling(call(), content="x"))) == Message("assistant", "x")
