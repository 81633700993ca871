"""Generation on this machine: answers do not depend on company, the queue is bounded, and who leaves frees a row."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from tests.serve.live import wait_until
from tiebreak.data.preference import Message
from tiebreak.generation.generate import Sampling, stream_answer
from tiebreak.models.load import load_model, load_tokenizer
from tiebreak.serve.generation.engine import (
    EngineBusy,
    EngineClosed,
    GenerationRequest,
    Piece,
    UnfitRequest,
    UnknownModel,
)
from tiebreak.serve.generation.loading import find_models
from tiebreak.serve.generation.local import LocalEngine

QUESTIONS = (
    "What is the capital of France?",
    "Tell me a joke.",
    "Who are you, and what can you do?",
    "What is 2 and 3?",
)


def asked(number: int, **settings: object) -> GenerationRequest:
    turns = (Message("user", QUESTIONS[number % len(QUESTIONS)]),)
    values = {"seed": number, "max_tokens": 40, "temperature": 0.9, "top_p": 0.95, **settings}
    return GenerationRequest("bundled:base", turns, **values)  # type: ignore[arg-type]


def endless(**settings: object) -> GenerationRequest:
    """A request that is at work until its 480 tokens are full."""
    values = {"prompt": "The", "max_tokens": 480, "temperature": 2.0, "seed": 3, **settings}
    return GenerationRequest("bundled:base", **values)  # type: ignore[arg-type]


async def answer(engine: LocalEngine, request: GenerationRequest) -> tuple[str, Piece]:
    pieces = [piece async for piece in engine.generate(request)]
    assert [piece.finish_reason is not None for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    return "".join(piece.text for piece in pieces), pieces[-1]


def test_seeded_answers_are_the_same_alone_and_in_company(bundled_engine: LocalEngine) -> None:
    async def both() -> tuple[list[str], list[str]]:
        alone = [(await answer(bundled_engine, asked(i, stream=bool(i % 2))))[0] for i in range(40)]
        together = await asyncio.gather(*(answer(bundled_engine, asked(i, stream=i % 3 == 0)) for i in range(40)))
        return alone, [text for text, _ in together]

    alone, together = asyncio.run(both())
    assert together == alone
    assert len(set(alone)) > 10


def test_a_seed_gives_the_answer_that_chat_gives(bundled_engine: LocalEngine) -> None:
    model, tokenizer = load_model("bundled:base"), load_tokenizer("bundled:base")
    for i in range(6):
        sampling = Sampling(temperature=0.9, top_p=0.95, max_new_tokens=40, seed=i)
        spoken = "".join(stream_answer(model, tokenizer, asked(i).turns, sampling))
        assert asyncio.run(answer(bundled_engine, asked(i)))[0] == spoken


def test_the_last_piece_says_why_it_ended_and_what_was_used(bundled_engine: LocalEngine) -> None:
    text, last = asyncio.run(answer(bundled_engine, asked(0, temperature=0.0)))
    assert last.finish_reason == "stop"
    assert (last.prompt_tokens, last.seed) == (15, 0)
    assert "Paris" in text
    _, cut = asyncio.run(answer(bundled_engine, asked(0, max_tokens=2)))
    assert (cut.finish_reason, cut.completion_tokens) == ("length", 2)


def test_a_stop_text_ends_an_answer_and_is_dropped(bundled_engine: LocalEngine) -> None:
    whole, _ = asyncio.run(answer(bundled_engine, asked(0, temperature=0.0)))
    for stream in (True, False):
        text, last = asyncio.run(answer(bundled_engine, asked(0, temperature=0.0, stop=(" is",), stream=stream)))
        assert text == whole.split(" is")[0]
        assert last.finish_reason == "stop"


def test_without_a_seed_each_answer_is_drawn_anew_and_its_seed_is_told(bundled_engine: LocalEngine) -> None:
    async def two() -> list[tuple[str, Piece]]:
        return [await answer(bundled_engine, asked(1, seed=None, temperature=1.5)) for _ in range(2)]

    (first, last), (_, other) = asyncio.run(two())
    assert last.seed != other.seed
    assert asyncio.run(answer(bundled_engine, asked(1, seed=last.seed, temperature=1.5)))[0] == first


@pytest.mark.parametrize(
    ("request_", "what"),
    [
        (GenerationRequest("bundled:base", prompt="word " * 3000), UnfitRequest),
        (GenerationRequest("bundled:base", prompt=""), UnfitRequest),
        (GenerationRequest("nobody", prompt="x"), UnknownModel),
    ],
)
def test_what_cannot_be_answered_is_refused(
    bundled_engine: LocalEngine, request_: GenerationRequest, what: type[Exception]
) -> None:
    with pytest.raises(what):
        asyncio.run(answer(bundled_engine, request_))


def test_an_answer_stays_within_the_positions_of_the_model(bundled_engine: LocalEngine) -> None:
    _, last = asyncio.run(answer(bundled_engine, endless(max_tokens=10_000, stream=False)))
    assert last.prompt_tokens + last.completion_tokens <= 512


@pytest.fixture
def narrow() -> LocalEngine:
    """One row, and room for one that waits."""
    return LocalEngine(find_models(["bundled:base"]), rows=1, queue=1)


def test_a_full_queue_refuses_and_says_when_to_come_back(narrow: LocalEngine) -> None:
    async def crowd() -> EngineBusy:
        async with aclosing(stream(narrow)) as first, aclosing(stream(narrow)) as second:
            await anext(first)
            waiting = asyncio.ensure_future(anext(second))
            while narrow.load().waiting < 1:
                await asyncio.sleep(0.001)
            with pytest.raises(EngineBusy) as refused:
                await answer(narrow, endless())
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            return refused.value

    assert asyncio.run(crowd()).retry_after >= 1
    wait_until(lambda: narrow.load().running == narrow.load().waiting == 0)
    asyncio.run(narrow.close())


def stream(engine: LocalEngine) -> AsyncGenerator[Piece, None]:
    return engine.generate(endless())


def test_a_reader_who_leaves_frees_the_row_for_the_next(narrow: LocalEngine) -> None:
    async def leave() -> str:
        async with aclosing(stream(narrow)) as pieces:
            await anext(pieces)
            assert narrow.load().running == 1
        assert narrow.load().running == 0
        return (await answer(narrow, asked(0)))[0]

    assert asyncio.run(leave())
    asyncio.run(narrow.close())


def test_closing_ends_those_who_are_answered_and_those_who_wait(narrow: LocalEngine) -> None:
    async def close() -> list[object]:
        readers = [asyncio.ensure_future(answer(narrow, endless())) for _ in range(2)]
        while narrow.load().waiting < 1:
            await asyncio.sleep(0.001)
        await narrow.close()
        return await asyncio.gather(*readers, return_exceptions=True)

    assert [type(end) for end in asyncio.run(close())] == [EngineClosed, EngineClosed]


def test_a_model_that_fails_fails_its_askers_and_goes_on(narrow: LocalEngine) -> None:
    worker = narrow._workers["bundled:base"]
    head = worker.loaded.model.lm_head
    worker.loaded.model.lm_head = None
    with pytest.raises(Exception, match="The model failed: TypeError"):
        asyncio.run(answer(narrow, asked(0)))
    worker.loaded.model.lm_head = head
    assert asyncio.run(answer(narrow, asked(0)))[0]
    asyncio.run(narrow.close())
