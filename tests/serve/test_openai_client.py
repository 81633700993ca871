"""The real `openai` client against a live server: answers, streams, models and errors as it expects them."""

from __future__ import annotations

import pytest
from openai import APIError, APIStatusError, BadRequestError, NotFoundError, OpenAI, RateLimitError

from tests.serve.live import Parrot, live, wait_until
from tiebreak.serve.app import create_app
from tiebreak.serve.local import LocalEngine
from tiebreak.serve.settings import Limits, ServeSettings

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture
def client(bundled_server: str) -> OpenAI:
    return OpenAI(base_url=f"{bundled_server}/v1", api_key="any", max_retries=0, timeout=60)


def test_the_models_are_listed_and_found(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["bundled:base"]
    assert client.models.retrieve("bundled:base").object == "model"
    with pytest.raises(NotFoundError) as refused:
        client.models.retrieve("nobody")
    assert refused.value.code == "model_not_found"


def test_a_conversation_is_answered(client: OpenAI) -> None:
    turns = [{"role": "system", "content": ""}, *QUESTION]
    done = client.chat.completions.create(model="bundled:base", messages=turns, seed=1, temperature=0, user="u1")
    assert "Paris" in (done.choices[0].message.content or "")
    assert done.choices[0].finish_reason == "stop"
    assert done.usage is not None
    assert done.usage.total_tokens == done.usage.prompt_tokens + done.usage.completion_tokens
    assert done.system_fingerprint is not None


def test_a_stream_is_the_same_answer_in_pieces_with_its_usage(client: OpenAI) -> None:
    asked = {"model": "bundled:base", "messages": QUESTION, "seed": 7, "temperature": 1.0}
    whole = client.chat.completions.create(**asked)  # type: ignore[call-overload]
    events = list(
        client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})  # type: ignore[call-overload]
    )
    texts = [event.choices[0].delta.content or "" for event in events if event.choices]
    assert "".join(texts) == whole.choices[0].message.content
    assert len([text for text in texts if text]) > 1
    assert [event.choices[0].finish_reason for event in events if event.choices][-1] == "stop"
    assert events[-1].usage == whole.usage
    assert len({event.id for event in events}) == 1


def test_a_text_is_continued_whole_and_in_pieces(client: OpenAI) -> None:
    asked = {"model": "bundled:base", "prompt": "The capital of", "seed": 5, "max_tokens": 12}
    whole = client.completions.create(**asked)  # type: ignore[call-overload]
    pieces = client.completions.create(**asked, stream=True)  # type: ignore[call-overload]
    assert "".join(piece.choices[0].text for piece in pieces) == whole.choices[0].text
    assert whole.usage.completion_tokens <= 12


def test_messages_in_parts_are_read(client: OpenAI) -> None:
    parts = [{"type": "text", "text": "What is the capital "}, {"type": "text", "text": "of France?"}]
    asked = {"model": "bundled:base", "temperature": 0}
    in_parts = client.chat.completions.create(messages=[{"role": "user", "content": parts}], **asked)  # type: ignore[call-overload]
    plain = client.chat.completions.create(messages=QUESTION, **asked)  # type: ignore[call-overload]
    assert in_parts.choices[0].message.content == plain.choices[0].message.content


@pytest.mark.parametrize(
    ("settings", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"max_tokens": 100_000}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": 9}, "temperature"),
        ({"messages": []}, "messages"),
        ({"messages": [*QUESTION, {"role": "assistant", "content": "Hm"}]}, "messages"),
        ({"messages": [{"role": "user", "content": "word " * 2000}]}, "messages"),
    ],
)
def test_what_would_be_answered_otherwise_is_refused(client: OpenAI, settings: dict[str, object], param: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        client.chat.completions.create(**{"model": "bundled:base", "messages": QUESTION, **settings})  # type: ignore[call-overload]
    assert refused.value.param == param
    assert refused.value.type == "invalid_request_error"
    assert refused.value.message


def test_fields_that_change_nothing_are_let_through(client: OpenAI) -> None:
    done = client.chat.completions.create(
        model="bundled:base",
        messages=QUESTION,  # type: ignore[arg-type]
        n=1,
        presence_penalty=0,
        logprobs=False,
        store=False,
        metadata={"a": "b"},
        parallel_tool_calls=True,
        extra_body={"something_new": [1]},
    )
    assert done.choices[0].message.role == "assistant"


def test_a_client_that_drops_its_stream_frees_the_row_at_once(client: OpenAI, bundled_engine: LocalEngine) -> None:
    stream = client.completions.create(
        model="bundled:base", prompt="The", max_tokens=128, temperature=2, seed=3, stream=True
    )
    next(iter(stream))
    assert bundled_engine.load().running == 1
    stream.close()
    wait_until(lambda: bundled_engine.load().running == 0)


def test_a_dropped_client_ends_the_work_whether_it_streams_or_waits() -> None:
    engine = Parrot(pause=0.05)
    asked = {"model": "parrot", "messages": [{"role": "user", "content": "word " * 5000}]}
    with live(create_app(engine, ServeSettings())) as address:
        hasty = OpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0, timeout=0.5)
        with pytest.raises(APIError):
            hasty.chat.completions.create(**asked)  # type: ignore[call-overload]
        wait_until(lambda: engine.asked and engine.running == 0)
        stream = hasty.chat.completions.create(**asked, stream=True)  # type: ignore[call-overload]
        next(iter(stream))
        assert engine.running == 1
        stream.close()
        wait_until(lambda: engine.running == 0)


def test_an_answer_that_takes_too_long_is_ended_in_both_forms() -> None:
    engine = Parrot(pause=0.1)
    asked = {"model": "parrot", "messages": [{"role": "user", "content": "word " * 100}]}
    with live(create_app(engine, ServeSettings(limits=Limits(seconds=0.5)))) as address:
        client = OpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0, timeout=20)
        with pytest.raises(APIStatusError) as late:
            client.chat.completions.create(**asked)  # type: ignore[call-overload]
        assert (late.value.status_code, late.value.code) == (504, "timeout")
        with pytest.raises(APIError, match="took too long"):
            list(client.chat.completions.create(**asked, stream=True))  # type: ignore[call-overload]
        assert engine.running == 0


def test_more_requests_than_a_minute_allows_are_told_to_wait() -> None:
    with live(create_app(Parrot(), ServeSettings(limits=Limits(requests_per_minute=3)))) as address:
        client = OpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0)
        asked = {"model": "parrot", "messages": [{"role": "user", "content": "hi"}]}
        for _ in range(3):
            client.chat.completions.create(**asked)  # type: ignore[call-overload]
        with pytest.raises(RateLimitError) as refused:
            client.chat.completions.create(**asked)  # type: ignore[call-overload]
        assert int(refused.value.response.headers["retry-after"]) >= 1
        assert client.models.list().data  # reading is not counted
