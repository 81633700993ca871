"""The real `openai` client against a live server: answers, streams, models and errors as it expects them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import httpx
import pytest
import torch
from openai import APIError, APIStatusError, BadRequestError, NotFoundError, OpenAI, RateLimitError
from openai.types.chat import ChatCompletionMessageParam

from tests.serve.live import Parrot, live, wait_until
from tiebreak.models.load import load_model, load_tokenizer
from tiebreak.serve.app import create_app
from tiebreak.serve.generation.local import LocalEngine
from tiebreak.serve.settings import Limits, ServeSettings

NOTHING = SimpleNamespace(content=[])
QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the capital of France?"}]


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
    turns: list[ChatCompletionMessageParam] = [{"role": "system", "content": ""}, *QUESTION]
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
        ({"n": 129}, "n"),
        ({"modalities": ["audio"]}, "modalities"),
        ({"extra_body": {"guided_json": {}}}, "guided_json"),
        ({"logit_bias": {"99999": 1}}, "logit_bias"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": 9}, "temperature"),
        ({"messages": []}, "messages"),
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
        messages=QUESTION,
        n=1,
        presence_penalty=0,
        logprobs=False,
        store=False,
        metadata={"a": "b"},
        parallel_tool_calls=True,
    )
    assert done.choices[0].message.role == "assistant"


ASKED = {"model": "bundled:base", "messages": QUESTION, "max_tokens": 12, "temperature": 1.0}


def test_several_answers_have_the_seeds_after_the_first_and_stream_alike(client: OpenAI) -> None:
    done = client.chat.completions.create(**ASKED, n=3, seed=5)  # type: ignore[call-overload]
    alone = [client.chat.completions.create(**ASKED, seed=5 + i) for i in range(3)]  # type: ignore[call-overload]
    texts = [choice.message.content for choice in done.choices]
    assert texts == [one.choices[0].message.content for one in alone]
    assert [choice.index for choice in done.choices] == [0, 1, 2]
    assert done.usage.prompt_tokens == alone[0].usage.prompt_tokens
    assert done.usage.completion_tokens == sum(one.usage.completion_tokens for one in alone)
    streamed = ["", "", ""]
    ends = []
    for event in client.chat.completions.create(**ASKED, n=3, seed=5, stream=True):  # type: ignore[call-overload]
        (choice,) = event.choices
        streamed[choice.index] += choice.delta.content or ""
        ends += [choice.index] if choice.finish_reason else []
    assert (streamed, sorted(ends)) == (texts, [0, 1, 2])


@pytest.mark.parametrize(
    "settings",
    [
        {"presence_penalty": -2.0},
        {"frequency_penalty": -2.0},
        {"logit_bias": {"300": 100}},
        {"extra_body": {"top_k": 1}},
        {"extra_body": {"min_p": 1.0}},
        {"extra_body": {"repetition_penalty": 5.0}},
    ],
)
def test_settings_of_one_request_are_its_own_in_a_batch(client: OpenAI, settings: dict[str, object]) -> None:
    def drawn(**more: object) -> str:
        asked = {**ASKED, "temperature": 1.5, "max_tokens": 24, "seed": 8, **more}
        return str(client.chat.completions.create(**asked).choices[0].message.content)  # type: ignore[call-overload]

    alone = drawn(), drawn(**settings)
    assert alone[0] != alone[1]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda i: drawn(**(settings if i % 2 else {})), range(6)))
    assert together == [*alone] * 3


def test_how_likely_tokens_were_is_told_whole_and_in_pieces(client: OpenAI) -> None:
    whole = client.chat.completions.create(**ASKED, seed=2, logprobs=True, top_logprobs=3)  # type: ignore[call-overload]
    told = whole.choices[0].logprobs.content
    assert bytes(b for one in told for b in one.bytes).decode().strip() == whole.choices[0].message.content
    for one in told:
        assert len(one.top_logprobs) == 3
        assert one.logprob <= one.top_logprobs[0].logprob <= 0
    events = client.chat.completions.create(**ASKED, seed=2, logprobs=True, top_logprobs=3, stream=True)  # type: ignore[call-overload]
    pieces = [one for event in events for one in (event.choices[0].logprobs or NOTHING).content]
    assert pieces == told


def test_several_texts_are_continued_as_they_are_or_as_token_ids(client: OpenAI) -> None:
    tokenizer = load_tokenizer("bundled:base")
    texts = ["The capital of", "Tell me"]
    asked = {"model": "bundled:base", "seed": 5, "max_tokens": 6}
    done = client.completions.create(prompt=texts, **asked)  # type: ignore[call-overload]
    ids = [tokenizer(text)["input_ids"] for text in texts]
    assert [one.text for one in client.completions.create(prompt=ids, **asked).choices] == [  # type: ignore[call-overload]
        one.text for one in done.choices
    ]
    alone = client.completions.create(prompt=ids[1], **asked)  # type: ignore[call-overload]
    assert alone.choices[0].text == done.choices[1].text
    with pytest.raises(BadRequestError, match="Token ids go from 0"):
        client.completions.create(model="bundled:base", prompt=[99_999])


def test_a_prompt_is_scored_as_the_model_does_and_nothing_is_drawn(client: OpenAI) -> None:
    tokenizer, model = load_tokenizer("bundled:base"), load_model("bundled:base")
    text = "The capital of France is Paris — naïve 🦘"
    ids = tokenizer(text)["input_ids"]
    asked = {"model": "bundled:base", "max_tokens": 0, "echo": True, "logprobs": 2}
    (by_text,) = client.completions.create(prompt=text, **asked).choices  # type: ignore[call-overload]
    (by_ids,) = client.completions.create(prompt=ids, **asked).choices  # type: ignore[call-overload]
    with torch.inference_mode():
        logps = torch.log_softmax(model(torch.tensor([ids])).logits[0].float(), -1)
    for choice in (by_text, by_ids):
        told = choice.logprobs
        assert (choice.text, choice.finish_reason) == (text, "length")
        assert told.token_logprobs[0] is None
        assert told.token_logprobs[1:] == pytest.approx([float(logps[i, t]) for i, t in enumerate(ids[1:])], abs=1e-4)
        assert [max(top.values()) for top in told.top_logprobs[1:]] == pytest.approx(
            logps[:-1].max(-1).values.tolist(), abs=1e-4
        )
        assert told.text_offset[:3] == [0, len(told.tokens[0]), len(told.tokens[0] + told.tokens[1])]
    with pytest.raises(BadRequestError, match="echo"):
        client.completions.create(model="bundled:base", prompt=text, max_tokens=0)


def test_a_last_turn_of_the_assistants_is_gone_on_with(client: OpenAI) -> None:
    asked = {"model": "bundled:base", "temperature": 0}
    whole = client.chat.completions.create(messages=QUESTION, **asked).choices[0].message.content  # type: ignore[call-overload]
    begun, rest = whole[: len(whole) // 2], whole[len(whole) // 2 :]
    at = whole.rfind(" ", 0, len(begun))  # where a word ends, so that the tokens are the same
    turns = [*QUESTION, {"role": "assistant", "content": whole[:at]}]
    gone_on = client.chat.completions.create(messages=turns, **asked).choices[0].message.content  # type: ignore[call-overload]
    assert rest
    assert whole[:at] + gone_on == whole


def test_more_tokens_than_there_are_to_be_had_are_cut_and_that_is_said_or_refused() -> None:
    turns = [{"role": "user", "content": "hi"}]
    asked = {"model": "parrot", "messages": turns, "max_completion_tokens": 5000}
    engine = Parrot()
    with live(create_app(engine, ServeSettings())) as address:
        answer = httpx.post(f"{address}/v1/chat/completions", json=asked)
        assert "max_completion_tokens was cut from 5000 to 1024" in answer.json()["notice"]
        assert answer.headers["x-tiebreak-notice"] == answer.json()["notice"]
        streamed = httpx.post(f"{address}/v1/chat/completions", json={**asked, "stream": True})
        assert streamed.text.count('"notice"') == 1
        fine = httpx.post(f"{address}/v1/chat/completions", json={**asked, "max_completion_tokens": 1024})
        assert "notice" not in fine.json()
    assert [request.max_tokens for request in engine.asked] == [1024] * 3
    with live(create_app(engine, ServeSettings(limits=Limits(cut_answers=False)))) as address:
        refused = httpx.post(f"{address}/v1/chat/completions", json=asked)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "max_completion_tokens")


def test_tools_that_nobody_would_write_are_refused(client: OpenAI) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    history = [
        *QUESTION,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "5"},
    ]
    tools = [{"type": "function", "function": {"name": "add", "parameters": {}}}]
    for more, param in (({"tools": tools}, "tools"), ({"messages": history}, "messages")):
        with pytest.raises(BadRequestError) as refused:
            client.chat.completions.create(**{**ASKED, **more})  # type: ignore[call-overload]
        assert refused.value.param == param


class _PassingParrot(Parrot):
    passes_on = True


def test_tools_and_what_is_said_of_them_reach_a_server_behind_this_one_as_they_came() -> None:
    tools = [{"type": "function", "function": {"name": "add", "strict": True}, "cache": 1}]
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "2, 3"}}
    history = [*QUESTION, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "content": "5"}]
    more = {"tools": tools, "tool_choice": "none", "parallel_tool_calls": False, "messages": history}
    engine = _PassingParrot()
    with live(create_app(engine, ServeSettings())) as address:
        sent = {"model": "parrot", **more}
        assert httpx.post(f"{address}/v1/chat/completions", json=sent).status_code == 200
    (request,) = engine.asked
    assert (list(request.tools), request.tool_choice, request.parallel_tool_calls) == (tools, "none", False)
    assert list(request.messages) == history


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
