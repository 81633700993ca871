"""What is sent to another server, what its events mean, and how little of its failures is relayed."""

from __future__ import annotations

import json

import pytest

from tiebreak.data.preference import Message
from tiebreak.serve.generation.engine import GenerationRequest, UpstreamFailed
from tiebreak.serve.generation.wire import Event, read_event, refused_field, request_body

TURNS = (Message("user", "hi"),)


def test_only_what_asks_for_something_is_sent() -> None:
    body = request_body(GenerationRequest("m", TURNS, system="Be brief."))
    assert set(body) == {"model", "messages", "temperature", "top_p", "max_tokens", "stream", "stream_options"}
    assert [turn["role"] for turn in body["messages"]] == ["system", "user"]
    full = request_body(
        GenerationRequest(
            "m",
            TURNS,
            seed=0,
            stop=("x",),
            top_k=5,
            min_p=0.1,
            presence_penalty=1.0,
            frequency_penalty=-1.0,
            repetition_penalty=1.2,
            logit_bias=((7, 2.0),),
            logprobs=3,
            response_format={"type": "json_object"},
            tools=({"type": "function", "function": {"name": "f"}},),
            tool_choice="none",
            parallel_tool_calls=False,
            extra={"guided_regex": "a+", "stream": False},
        )
    )
    assert (full["seed"], full["stop"], full["top_k"], full["min_p"]) == (0, ["x"], 5, 0.1)
    assert (full["presence_penalty"], full["frequency_penalty"], full["repetition_penalty"]) == (1.0, -1.0, 1.2)
    assert (full["logit_bias"], full["logprobs"], full["top_logprobs"]) == ({"7": 2.0}, True, 3)
    assert (full["guided_regex"], full["stream"]) == ("a+", True)
    assert (len(full["tools"]), full["tool_choice"], full["parallel_tool_calls"]) == (1, "none", False)


def test_a_text_goes_as_it_is_or_as_token_ids() -> None:
    body = request_body(GenerationRequest("m", prompt_ids=(5, 6), echo=True, logprobs=1))
    assert (body["prompt"], body["echo"], body["logprobs"]) == ([5, 6], True, 1)
    assert request_body(GenerationRequest("m", prompt="a"))["prompt"] == "a"


def test_events_of_both_kinds_are_read() -> None:
    assert read_event('{"choices": [{"text": "a", "finish_reason": "length"}]}') == Event("a", "length")
    assert read_event('{"choices": [], "usage": {"prompt_tokens": 5}}').usage == {"prompt_tokens": 5}
    logprobs = {"tokens": ["a", "b"], "token_logprobs": [None, -1.0], "top_logprobs": [None, {"c": -0.5}]}
    event = read_event(json.dumps({"choices": [{"text": "ab", "logprobs": logprobs}]}))
    assert [one.token.logp for one in event.tokens] == [None, -1.0]
    assert [one.text for one in event.tokens[1].top] == ["c"]


@pytest.mark.parametrize(
    "data",
    [
        "nonsense",
        "[]",
        '{"choices": 5}',
        '{"choices": [{"delta": {"content": 5}}]}',
        '{"choices": [{"text": "a", "logprobs": {"content": [{}]}}]}',
        '{"choices": [{"text": "a", "logprobs": {"tokens": ["a"], "token_logprobs": []}}]}',
        '{"error": {"message": "/srv/secret"}}',
    ],
)
def test_what_is_no_event_is_a_failure_that_repeats_nothing(data: str) -> None:
    with pytest.raises(UpstreamFailed) as failed:
        read_event(data)
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (
            {"message": "x", "param": "max_tokens", "code": "context_length_exceeded"},
            ("max_tokens", "context_length_exceeded"),
        ),
        ({"message": "x", "param": "messages.0.content", "code": "/srv/secret"}, ("messages.0.content", None)),
        ({"message": "x", "param": "messages.<script>", "code": None}, ("messages", None)),
        ({"message": "x", "param": "/srv/secret"}, (None, None)),
        ({"message": "x", "param": 5, "code": 400}, (None, None)),
        ("words", (None, None)),
    ],
)
def test_of_a_refusal_only_a_field_that_was_sent_and_a_known_word_are_relayed(
    error: object, found: tuple[str | None, str | None]
) -> None:
    sent = {"messages": [], "max_tokens": 5}
    assert refused_field(json.dumps({"error": error}).encode(), sent) == found
    assert refused_field(b"<html>", sent) == (None, None)
