"""Fields beside those that are served: what changes nothing is let through, the rest is named, however deep it is."""

from __future__ import annotations

from typing import Any

import pytest

from tiebreak.serve.api.fields import refused_fields
from tiebreak.serve.api.requests import ChatRequest, CompletionRequest

TURNS = [{"role": "user", "content": "Hi"}]


def refused(**more: Any) -> list[tuple[str, str]]:
    request = ChatRequest.model_validate({"model": "mine", "messages": TURNS, **more})
    return [(one.path, one.code) for one in refused_fields(request)]


@pytest.mark.parametrize(
    "more",
    [
        {"user": "ann"},
        {"metadata": {"a": 1}},
        {"store": True},
        {"n": None},
        {"tool_choice": "auto"},
        {"tools": []},
        {"functions": []},
        {"modalities": ["text"]},
        {"audio": None},
        {"guided_json": None},
        {"stream_options": {"include_usage": True, "include_obfuscation": False}},
        # as clients send an answer back
        {
            "messages": [
                *TURNS,
                {"role": "assistant", "content": "Hm", "refusal": None, "audio": None, "annotations": []},
            ]
        },
        {"messages": [{"role": "user", "content": "Hi", "name": "ann"}]},
    ],
)
def test_a_field_that_changes_nothing_is_let_through(more: dict[str, Any]) -> None:
    assert refused(**more) == []


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"guided_json": {}}, "guided_json"),
        ({"min_tokens": 5}, "min_tokens"),
        ({"ignore_eos": True}, "ignore_eos"),
        ({"stop_token_ids": [5]}, "stop_token_ids"),
        ({"prompt_logprobs": 1}, "prompt_logprobs"),
        ({"something_new": 0}, "something_new"),
        ({"stream_options": {"continuous_usage_stats": True}}, "stream_options.continuous_usage_stats"),
        ({"messages": [{"role": "user", "content": "Hi", "prefix": True}]}, "messages.0.prefix"),
        (
            {"messages": [*TURNS, {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {}}]}]},
            "messages.1.content.0.cache_control",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parametres": {}}}]},
            "tools.0.function.parametres",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}, "shema": {}}}},
            "response_format.json_schema.shema",
        ),
    ],
)
def test_an_unknown_field_is_named_with_its_place(more: dict[str, Any], path: str) -> None:
    assert refused(user="ann", **more) == [(path, "unknown_parameter")]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("modalities", ["audio"]),
        ("audio", {"voice": "a"}),
        ("web_search_options", {}),
        ("functions", [{"name": "f"}]),
        ("reasoning_effort", "high"),
        ("echo", True),
    ],
)
def test_a_known_field_that_asks_for_another_answer_is_named(field: str, value: object) -> None:
    assert refused(**{field: value}) == [(field, "unsupported_parameter")]


def test_a_mistyped_field_is_told_its_name_and_what_is_no_name_is_not_repeated() -> None:
    def message(field: str) -> str:
        body = {"model": "mine", "prompt": "x", field: 5}
        (one,) = refused_fields(CompletionRequest.model_validate(body))
        return one.message

    assert message("max_token") == "There is no field 'max_token' here. Did you mean 'max_tokens'?"
    assert message("tempurature").endswith("Did you mean 'temperature'?")
    assert message("quite_another") == "There is no field 'quite_another' here."
    for odd in ("\x1b[31m", "a" * 500, "<script>"):
        assert odd not in message(odd)


def test_free_forms_are_not_looked_into() -> None:
    schema = {"type": "object", "properties": {"anything": {"type": "string"}}}
    assert refused(response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}) == []
    assert refused(tools=[{"type": "function", "function": {"name": "f", "parameters": schema}}]) == []
