"""What may be one thing or another: the failure is of what was meant, and names the key that was sent."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.serve.live import Parrot
from tiebreak.serve.app import create_app
from tiebreak.serve.settings import ServeSettings

TURNS = [{"role": "user", "content": "Hi"}]
PICTURE = {"type": "image_url", "image_url": {"url": "data:,"}}


def failure(path: str, **more: Any) -> tuple[str, str]:
    client = TestClient(create_app(Parrot(), ServeSettings()), base_url="http://127.0.0.1:5000")
    answer = client.post(path, json={"model": "parrot", **more})
    assert answer.status_code == 400
    error = answer.json()["error"]
    return error["param"], error["message"]


@pytest.mark.parametrize(
    ("more", "param", "what"),
    [
        ({"stop": ["a"] * 5}, "stop", "at most 4"),
        ({"stop": 5}, "stop", "a text or a list of texts"),
        ({"stop": ["a", 5]}, "stop.1", "valid string"),
        ({"stop": ""}, "stop", "at least 1 character"),
        ({"stop": {"a": 1}}, "stop", "a text or a list of texts"),
        ({"messages": [{"role": "user", "content": [PICTURE]}]}, "messages.0.content.0.type", "only text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, PICTURE]}]},
            "messages.0.content.1.type",
            "'image_url'",
        ),
        ({"messages": [{"role": "user", "content": [{"text": "a"}]}]}, "messages.0.content.0", "'type'"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text", "required"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content", "a text or a list of parts"),
        ({"messages": [{"role": "user"}]}, "messages.0.content", "says nothing"),
        ({"messages": "Hi"}, "messages", "list"),
        ({"max_completion_tokens": 0}, "max_completion_tokens", "greater than"),
        ({"top_logprobs": 3}, "top_logprobs", "logprobs"),
        ({"logit_bias": {"a": 1}}, "logit_bias.a", "pattern"),
        ({"tool_choice": "perhaps"}, "tool_choice", "'required'"),
    ],
)
def test_a_conversation_that_does_not_fit(more: dict[str, Any], param: str, what: str) -> None:
    named, message = failure("/v1/chat/completions", **{"messages": TURNS, **more})
    assert (named, what in message) == (param, True), message


@pytest.mark.parametrize(
    ("prompt", "param", "what"),
    [
        (5, "prompt", "a text, a list of texts, a list of token ids"),
        ([], "prompt", "at least 1 item"),
        (["a", 5], "prompt.1", "valid string"),
        ([5, "a"], "prompt.1", "valid integer"),
        ([5, -1], "prompt.1", "greater than or equal to 0"),
        ([[5], []], "prompt.1", "at least 1 item"),
        (["a" * (1 << 20), {"b": 1}], "prompt.1", "valid string"),
    ],
)
def test_a_prompt_that_does_not_fit(prompt: object, param: str, what: str) -> None:
    settings = ServeSettings().limits.body_bytes
    if len(str(prompt)) > settings:
        prompt = [prompt[0][:1000], prompt[1]]  # type: ignore[index]
    named, message = failure("/v1/completions", prompt=prompt)
    assert (named, what in message) == (param, True), message
