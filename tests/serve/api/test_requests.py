"""Requests as clients send them: which fit, and what is said of those that do not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tiebreak.serve.api.requests import ChatRequest, CompletionRequest

TURNS = [{"role": "user", "content": "Hi"}]


def chat(**more: Any) -> ChatRequest:
    return ChatRequest.model_validate({"model": "mine", "messages": TURNS, **more})


def continuation(**more: Any) -> CompletionRequest:
    return CompletionRequest.model_validate({"model": "mine", "prompt": "The", **more})


@pytest.mark.parametrize(("written", "stops"), [(None, ()), ("\n", ("\n",)), (["a", "b"], ("a", "b")), ([], ())])
def test_stop_strings_are_one_or_several(written: object, stops: tuple[str, ...]) -> None:
    assert chat(stop=written).stops == stops


@pytest.mark.parametrize(
    "more",
    [
        {"stop": ""},
        {"stop": ["a"] * 5},
        {"temperature": 2.1},
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"top_p": 0},
        {"top_p": 1.1},
        {"top_k": -2},
        {"min_p": 1.1},
        {"presence_penalty": 2.1},
        {"frequency_penalty": -2.1},
        {"repetition_penalty": 0},
        {"logit_bias": {"5": 101}},
        {"logit_bias": {"five": 1}},
        {"n": 0},
        {"n": 129},
        {"logprobs": True, "top_logprobs": 21},
        {"top_logprobs": 2},
        {"seed": 2**63},
        {"max_tokens": 0},
        {"max_completion_tokens": 0},
        {"model": ""},
        {"model": "mine\x1b[31m"},
        {"model": "a" * 301},
        {"messages": []},
        {"messages": [{"role": "critic", "content": "x"}]},
        {"messages": [{"role": "user", "content": []}]},
        {"messages": [{"role": "user", "content": None}]},
        {"messages": [{"role": "assistant", "content": None}]},
        {"messages": [{"role": "user", "content": "x", "tool_calls": [{"id": "1", "function": {"name": "f"}}]}]},
        {"response_format": {"type": "json_schema"}},
        {"response_format": {"type": "yaml"}},
        {"tools": [{"type": "function", "function": {"name": "a b"}}]},
        {"tool_choice": "required"},
        {"tool_choice": "perhaps"},
    ],
)
def test_what_cannot_be_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        chat(**more)


def test_parts_of_a_message_are_one_text() -> None:
    parts = [{"type": "text", "text": "What is "}, {"type": "text", "text": "two?"}]
    request = chat(messages=[{"role": "user", "content": parts}, {"role": "assistant", "content": "Two."}])
    assert [message.text for message in request.messages] == ["What is two?", "Two."]


def test_a_turn_that_calls_a_tool_may_say_nothing_else() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    turns = [
        *TURNS,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "5"},
    ]
    assert [message.text for message in chat(messages=turns).messages] == ["Hi", "", "5"]


def test_usage_ends_a_stream_only_where_it_is_wanted() -> None:
    asked: tuple[dict[str, bool] | None, ...] = (None, {}, {"include_usage": False}, {"include_usage": True})
    assert [chat(stream_options=options).usage_wanted for options in asked] == [False, False, False, True]


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        ("The", ["The"]),
        (["The"], ["The"]),
        (["The", "A"], ["The", "A"]),
        ([5, 6], [(5, 6)]),
        ([[5], [6, 7]], [(5,), (6, 7)]),
        ("", [""]),
    ],
)
def test_texts_to_be_continued_are_one_or_several_or_token_ids(prompt: object, prompts: list[object]) -> None:
    assert continuation(prompt=prompt).prompts == prompts


@pytest.mark.parametrize("prompt", [[], [[]], [5, "a"], ["a", 5], [[5], "a"], [True], [-1], [5.5], None, {}, 5])
def test_what_is_no_prompt_is_refused(prompt: object) -> None:
    with pytest.raises(ValidationError):
        continuation(prompt=prompt)


@pytest.mark.parametrize(("written", "meant"), [(None, None), (False, None), (True, 1), (0, 0), (5, 5)])
def test_clients_say_how_many_of_the_likeliest_tokens_or_only_whether(written: object, meant: int | None) -> None:
    assert continuation(logprobs=written).logprobs == meant


def test_only_as_many_answers_are_drawn_as_are_given() -> None:
    assert continuation(n=2, best_of=2).n == 2
    with pytest.raises(ValidationError, match="another value"):
        continuation(n=1, best_of=2)
