"""The Responses API as the `openai` client reads it: whole, as events, in a given form, and what is refused of it."""

from __future__ import annotations

import importlib.util
import json

import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.serve.live import Parrot, live
from tiebreak.serve.app import create_app
from tiebreak.serve.settings import ServeSettings

QUESTION = "What is the capital of France?"


@pytest.fixture
def client(bundled_server: str) -> OpenAI:
    return OpenAI(base_url=f"{bundled_server}/v1", api_key="any", max_retries=0, timeout=60)


def test_a_text_or_a_conversation_is_answered_as_chat_does(client: OpenAI) -> None:
    asked = {"model": "bundled:base", "temperature": 0}
    chat = client.chat.completions.create(messages=[{"role": "user", "content": QUESTION}], **asked)  # type: ignore[call-overload]
    said = chat.choices[0].message.content
    plain = client.responses.create(input=QUESTION, **asked)  # type: ignore[call-overload]
    turns = [{"role": "user", "content": [{"type": "input_text", "text": QUESTION}]}]
    assert plain.output_text == client.responses.create(input=turns, **asked).output_text == said  # type: ignore[call-overload]
    assert (plain.status, plain.store if hasattr(plain, "store") else False) == ("completed", False)
    assert plain.usage.total_tokens == chat.usage.total_tokens


def test_instructions_come_before_the_conversation_and_an_answer_may_be_cut(client: OpenAI) -> None:
    engine = Parrot()
    with live(create_app(engine, ServeSettings())) as address:
        OpenAI(base_url=f"{address}/v1", api_key="any").responses.create(
            model="parrot", input="hi", instructions="Be brief.", store=True, metadata={"a": "b"}
        )
    assert engine.asked[0].system == "Be brief."
    cut = client.responses.create(model="bundled:base", input=QUESTION, max_output_tokens=2)
    assert (cut.status, cut.incomplete_details and cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")


def test_a_stream_is_the_same_answer_in_events(client: OpenAI) -> None:
    asked = {"model": "bundled:base", "input": QUESTION, "temperature": 0}
    whole = client.responses.create(**asked)  # type: ignore[call-overload]
    events = list(client.responses.create(**asked, stream=True))  # type: ignore[call-overload]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == whole.output_text
    kinds = [event.type for event in events if event.type != "response.output_text.delta"]
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert events[-1].response.output_text == whole.output_text
    assert events[-1].response.usage == whole.usage


@pytest.mark.skipif(
    importlib.util.find_spec("llguidance") is None, reason="needs the extra json: pip install 'tiebreak[json]'"
)
def test_an_answer_has_the_form_that_is_asked_for(client: OpenAI) -> None:
    schema = {"type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"]}
    form = {"type": "json_schema", "name": "answer", "schema": {**schema, "additionalProperties": False}}
    done = client.responses.create(model="bundled:base", input=QUESTION, text={"format": form})  # type: ignore[call-overload]
    assert isinstance(json.loads(done.output_text)["sure"], bool)
    asked = {"type": "json_schema", "json_schema": {"name": "answer", "schema": form["schema"]}}
    turns = [{"role": "user", "content": QUESTION}]
    chat = client.chat.completions.create(model="bundled:base", messages=turns, response_format=asked)  # type: ignore[call-overload]
    assert isinstance(json.loads(chat.choices[0].message.content or "")["sure"], bool)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"background": True}, "background"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"extra_body": {"min_tokens": 5}}, "min_tokens"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
            "input.0.content.0.type",
        ),
        ({"input": []}, "input"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
    ],
)
def test_what_is_not_done_is_refused_by_name(more: dict[str, object], param: str, client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as refused:
        client.responses.create(**{"model": "bundled:base", "input": QUESTION, **more})  # type: ignore[call-overload]
    assert refused.value.param == param


def test_nothing_is_stored(client: OpenAI) -> None:
    with pytest.raises(NotFoundError):
        client.responses.retrieve("resp_1")
