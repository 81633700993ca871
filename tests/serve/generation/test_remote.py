"""Another server behind ours: the same answers through the same interface, and its failures told as its own."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from openai import APIStatusError, OpenAI

from tests.serve.live import Parrot, live, wait_until
from tiebreak.data.preference import Message
from tiebreak.errors import InputError, RunError
from tiebreak.serve.app import create_app
from tiebreak.serve.generation.engine import EngineBusy, GenerationRequest, Piece, UnfitRequest, UpstreamFailed
from tiebreak.serve.generation.remote import RemoteEngine
from tiebreak.serve.settings import ServeSettings

KEY = "the-key-of-the-other-server"
TURNS = (Message("user", "one two three"),)


def ask(engine: RemoteEngine, request: GenerationRequest) -> list[Piece]:
    async def answer() -> list[Piece]:
        try:
            return [piece async for piece in engine.generate(request)]
        finally:
            await engine.close()

    return asyncio.run(answer())


def test_answers_of_another_tiebreak_come_through_unchanged(bundled_server: str) -> None:
    direct = OpenAI(base_url=f"{bundled_server}/v1", api_key="any")
    with live(create_app(RemoteEngine(f"{bundled_server}/v1"), ServeSettings())) as address:
        behind = OpenAI(base_url=f"{address}/v1", api_key="any")
        turns = [{"role": "user", "content": "Who are you?"}]
        asked = {"model": "bundled:base", "messages": turns, "seed": 4, "max_tokens": 60}
        mine, theirs = (one.chat.completions.create(**asked) for one in (behind, direct))  # type: ignore[call-overload]
        assert mine.choices[0].message.content == theirs.choices[0].message.content
        assert mine.usage == theirs.usage
        text = {"model": "bundled:base", "prompt": "The", "seed": 4, "max_tokens": 8}
        mine, theirs = (one.completions.create(**text) for one in (behind, direct))  # type: ignore[call-overload]
        assert (mine.choices[0].text, mine.choices[0].finish_reason) == (
            theirs.choices[0].text,
            theirs.choices[0].finish_reason,
        )


def test_what_is_asked_for_is_handed_on_with_the_key() -> None:
    engine = Parrot()
    with live(create_app(engine, ServeSettings(api_keys=(KEY,)))) as address:
        remote = RemoteEngine(f"{address}/v1/", ["parrot"], api_key=KEY)
        request = GenerationRequest(
            "parrot", TURNS, system="Be brief.", temperature=0.3, top_p=0.8, max_tokens=9, seed=11, stop=("x",)
        )
        pieces = ask(remote, request)
    handed = engine.asked[0]
    assert [turn.role for turn in handed.turns] == ["system", "user"]
    assert (handed.temperature, handed.top_p, handed.max_tokens, handed.seed) == (0.3, 0.8, 9, 11)
    assert handed.stop == ("x",)
    assert "".join(piece.text for piece in pieces).strip() == "one two three"
    assert (pieces[-1].finish_reason, pieces[-1].completion_tokens) == ("stop", 3)


def test_leaving_ends_the_work_of_the_other_server() -> None:
    engine = Parrot(pause=0.02)
    with live(create_app(engine, ServeSettings())) as address:
        remote = RemoteEngine(f"{address}/v1")

        async def leave() -> None:
            async with aclosing(
                remote.generate(GenerationRequest("parrot", (Message("user", "w " * 2000),)))
            ) as pieces:
                await anext(pieces)
            await remote.close()

        asyncio.run(leave())
        wait_until(lambda: engine.running == 0)
    assert remote.load().running == 0


def test_more_than_may_be_on_their_way_wait_and_more_than_that_are_refused() -> None:
    with live(create_app(Parrot(pause=0.02), ServeSettings())) as address:
        remote = RemoteEngine(f"{address}/v1", in_flight=1, queue=1)
        request = GenerationRequest("parrot", (Message("user", "w " * 30),))

        async def three() -> list[list[Piece] | BaseException]:
            readers = [asyncio.ensure_future(_all(remote.generate(request))) for _ in range(3)]
            ends = await asyncio.gather(*readers, return_exceptions=True)
            await remote.close()
            return ends

        ends = asyncio.run(three())
    assert [type(end) for end in ends] == [list, list, EngineBusy]


async def _all(pieces: AsyncGenerator[Piece, None]) -> list[Piece]:
    return [piece async for piece in pieces]


def failing(answer: Response | None = None, events: list[str] | None = None) -> FastAPI:
    """A server that lists a model and then fails in some way."""
    app = FastAPI()

    @app.get("/v1/models")
    def models() -> dict[str, object]:
        return {"data": [{"id": "m"}]}

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        if answer is not None:
            return answer
        return StreamingResponse((f"data: {event}\n\n" for event in events or []), media_type="text/event-stream")

    return app


def said(text: str, reason: str | None = None) -> str:
    return json.dumps({"choices": [{"delta": {"content": text}, "finish_reason": reason}]})


@pytest.mark.parametrize(
    ("app", "kind", "what"),
    [
        (failing(JSONResponse({"error": {"message": f"bad key {KEY}"}}, 401)), UpstreamFailed, "does not take our key"),
        (failing(JSONResponse({"error": {"message": f"no: {KEY}"}}, 500)), UpstreamFailed, "with status 500\\."),
        (failing(PlainTextResponse("oh", 503)), UpstreamFailed, "with status 503\\."),
        (failing(JSONResponse({"error": {"message": "/srv/secret"}}, 400)), UnfitRequest, "refuses the request\\."),
        (
            failing(JSONResponse({"error": {"message": "/srv/secret", "param": "max_tokens"}}, 400)),
            UnfitRequest,
            "refuses the request for its field 'max_tokens'",
        ),
        (failing(JSONResponse({"error": "busy"}, 429)), EngineBusy, "waiting"),
        (failing(events=["nonsense"]), UpstreamFailed, "no answer of OpenAI"),
        (failing(events=["[]"]), UpstreamFailed, "no answer of OpenAI"),
        (
            failing(events=[said("a"), '{"error": {"message": "out of memory"}}']),
            UpstreamFailed,
            "in the middle of its answer",
        ),
        (failing(events=[said("a")]), UpstreamFailed, "broke its answer off"),
        (failing(events=["[DONE]"]), UpstreamFailed, "broke its answer off"),
    ],
)
def test_a_failure_of_the_other_server_is_told_as_its_own(
    app: FastAPI, kind: type[Exception], what: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with live(app) as address, pytest.raises(kind, match=what) as failed:
        ask(RemoteEngine(f"{address}/v1", api_key=KEY), GenerationRequest("m", TURNS))
    assert KEY not in str(failed.value) + caplog.text
    assert not any(word in str(failed.value) for word in ("secret", "memory", "no: "))  # its own words stay here


def test_a_server_that_went_away_is_a_bad_gateway() -> None:
    with live(failing()) as address:
        remote = RemoteEngine(f"{address}/v1")
    with live(create_app(remote, ServeSettings())) as ours:
        client = OpenAI(base_url=f"{ours}/v1", api_key="any", max_retries=0)
        with pytest.raises(APIStatusError, match="no connection") as failed:
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    assert failed.value.status_code == 502


def test_the_address_and_the_names_are_checked_at_once() -> None:
    for address in ("localhost:8000", "ftp://x/v1", "", "http://user:pw@localhost/v1"):
        with pytest.raises(InputError):
            RemoteEngine(address)
    with pytest.raises(RunError, match="cannot be reached"):
        RemoteEngine("http://127.0.0.1:9/v1")
    with live(failing()) as address:
        with pytest.raises(InputError, match="no model 'other'"):
            RemoteEngine(f"{address}/v1", ["other"])
        with pytest.raises(RunError, match="status 404"):
            RemoteEngine(f"{address}/v2")


def test_what_only_the_other_server_understands_is_passed_on_and_nothing_that_is_ours_is_changed_by_it() -> None:
    bodies: list[dict[str, object]] = []
    app = failing(events=[said("a"), said("", "stop"), "[DONE]"])

    @app.middleware("http")
    async def kept(request: Request, after: Callable[[Request], Awaitable[Response]]) -> Response:
        if request.method == "POST":
            bodies.append(json.loads(await request.body()))
        return await after(request)

    picture = {"type": "image_url", "image_url": {"url": "data:,"}}
    turns = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, picture]}]
    asked = {"model": "m", "messages": turns, "max_tokens": 5, "n": 2, "seed": 3, "top_k": 7}
    more = {"guided_json": {"type": "object"}, "ignore_eos": True, "reasoning_effort": "high"}
    with live(app) as address, live(create_app(RemoteEngine(f"{address}/v1"), ServeSettings())) as ours:
        answer = httpx.post(f"{ours}/v1/chat/completions", json={**asked, **more})
    assert answer.status_code == 200, answer.text
    assert [choice["message"]["content"] for choice in answer.json()["choices"]] == ["a", "a"]
    assert sorted(body["seed"] for body in bodies) == [3, 4]  # type: ignore[type-var]
    for body in bodies:
        assert body["messages"] == turns
        assert {name: body[name] for name in more} == more
        assert (body["stream"], body["max_tokens"], body["top_k"], "n" in body) == (True, 5, 7, False)


def test_scores_and_calls_of_tools_come_back_as_the_other_server_gave_them() -> None:
    scored = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "b", "logprob": -1.5}]}
    calls = [
        {"index": 0, "id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a"'}},
        {"index": 0, "function": {"arguments": ": 1}"}},
    ]
    events = [
        json.dumps({"choices": [{"delta": {"content": "a"}, "logprobs": {"content": [scored]}}]}),
        *[json.dumps({"choices": [{"delta": {"tool_calls": [call]}}]}) for call in calls],
        said("", "tool_calls"),
        "[DONE]",
    ]
    tools = [{"type": "function", "function": {"name": "add", "parameters": {}}}]
    asked = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "logprobs": True, "tools": tools}
    with (
        live(failing(events=events)) as address,
        live(create_app(RemoteEngine(f"{address}/v1"), ServeSettings())) as us,
    ):
        (choice,) = httpx.post(f"{us}/v1/chat/completions", json=asked).json()["choices"]
        client = OpenAI(base_url=f"{us}/v1", api_key="any", max_retries=0)
        chunks = list(client.chat.completions.create(**asked, stream=True))  # type: ignore[call-overload]
    (call,) = choice["message"]["tool_calls"]
    assert (choice["finish_reason"], call["id"]) == ("tool_calls", "c1")
    assert call["function"] == {"name": "add", "arguments": '{"a": 1}'}
    (told,) = choice["logprobs"]["content"]
    assert (told["token"], told["logprob"], told["bytes"], told["top_logprobs"][0]["token"]) == ("a", -0.5, [97], "b")
    parts = [one.choices[0].delta.tool_calls for one in chunks if one.choices[0].delta.tool_calls]
    assert "".join(part[0].function.arguments for part in parts) == '{"a": 1}'
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
