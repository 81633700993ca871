"""How answers are asked for: they grow together, stop together, and nothing goes on behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from tests.serve.pages.engine_double import EngineDouble
from tiebreak.data.preference import Message
from tiebreak.serve.generation.engine import GenerationRequest, Piece
from tiebreak.serve.pages.streaming import Draft, stream_answers


def _request(model: str, text: str = "Hello") -> GenerationRequest:
    return GenerationRequest(model, (Message("user", text),), seed=3)


async def _last(engine: EngineDouble, *requests: GenerationRequest) -> list[Draft]:
    return [list(drafts) async for drafts in stream_answers(engine, requests, asyncio.Event(), 30)][-1]


def test_two_answers_come_whole_with_their_seeds() -> None:
    found = asyncio.run(_last(EngineDouble(), _request("tern-run"), _request("plover")))
    assert [draft.text.split()[0] for draft in found] == ["Amber", "Cedar"]
    assert all(draft.whole and draft.seed == 3 for draft in found)


def test_stopping_keeps_what_has_come_and_closes_the_engine() -> None:
    async def run() -> tuple[EngineDouble, list[Draft]]:
        engine, stop = EngineDouble(pause=0.01), asyncio.Event()
        drafts: list[Draft] = []
        async for drafts in stream_answers(engine, [_request("tern-run"), _request("plover")], stop, 30):
            if all(draft.text for draft in drafts):
                stop.set()
        return engine, drafts

    engine, drafts = asyncio.run(run())
    assert (engine.open, engine.abandoned) == (0, 2)
    assert all(draft.text and draft.done and not draft.whole and draft.error is None for draft in drafts)


def test_whoever_stops_listening_ends_the_work() -> None:
    async def run() -> EngineDouble:
        engine = EngineDouble(pause=0.01)
        async with aclosing(stream_answers(engine, [_request("tern-run")], asyncio.Event(), 30)) as growing:
            async for _ in growing:
                break
        return engine

    engine = asyncio.run(run())
    assert (engine.open, engine.abandoned) == (0, 1)


def test_an_engine_that_is_busy_gives_a_sentence_and_the_other_answer_still_comes() -> None:
    class HalfBusy(EngineDouble):
        async def generate(self, request: GenerationRequest) -> AsyncGenerator[Piece, None]:
            self.busy = request.model == "plover"
            async for piece in super().generate(request):
                yield piece

    first, second = asyncio.run(_last(HalfBusy(), _request("tern-run"), _request("plover")))
    assert first.whole
    assert second.error == "Too many requests are waiting. Try again in 3 s."


def test_an_engine_that_dies_ends_the_waiting_and_tells_the_page_nothing_of_its_inside() -> None:
    class Dying(EngineDouble):
        async def generate(self, request: GenerationRequest) -> AsyncGenerator[Piece, None]:
            yield Piece("Half a")
            raise ZeroDivisionError("/secret/path")

    (draft,) = asyncio.run(_last(Dying(), _request("tern-run")))
    assert draft.done
    assert draft.text == "Half a"
    assert draft.error == "The model could not answer; the server's log says why."


def test_an_answer_that_takes_too_long_ends_with_a_sentence() -> None:
    async def run() -> tuple[EngineDouble, Draft]:
        engine = EngineDouble(pause=0.05)
        found = [drafts async for drafts in stream_answers(engine, [_request("tern-run")], asyncio.Event(), 0.12)]
        return engine, found[-1][0]

    engine, draft = asyncio.run(run())
    assert draft.error == "The answer took longer than 0.12 s."
    assert (draft.done, draft.whole, engine.open) == (True, False, 0)
