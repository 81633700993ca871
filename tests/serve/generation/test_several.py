"""Several answers to one request come as they are ready, so many at a time, and end together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from tests.serve.live import Parrot
from tiebreak.serve.generation.engine import GenerationRequest, Piece, UnknownModel
from tiebreak.serve.generation.several import several


def requests(*texts: str) -> list[GenerationRequest]:
    return [GenerationRequest("parrot", prompt=text) for text in texts]


class Counting(Parrot):
    """Notes how many are at work at once."""

    most = 0

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Piece, None]:
        async for piece in super().generate(request):
            self.most = max(self.most, self.running)
            yield piece


def test_all_answers_come_whole_and_so_many_at_a_time() -> None:
    engine = Counting(pause=0.001)

    async def texts() -> dict[int, str]:
        found: dict[int, str] = {}
        async for index, piece in several(engine, requests("a b", "c", "d e f", "g"), at_once=2):
            found[index] = found.get(index, "") + piece.text
        return found

    assert asyncio.run(texts()) == {0: "a b ", 1: "c ", 2: "d e f ", 3: "g "}
    assert engine.most == 2


@pytest.mark.parametrize("count", [1, 3])
def test_leaving_ends_the_work_on_all(count: int) -> None:
    engine = Parrot(pause=0.001)

    async def leave() -> int:
        async with aclosing(several(engine, requests(*["w " * 5000] * count), at_once=3)) as pieces:
            await anext(pieces)
        return engine.running

    assert asyncio.run(leave()) == 0


def test_the_failure_of_one_is_the_failure_of_all() -> None:
    engine = Parrot(pause=0.001)

    async def all_of_them() -> None:
        mixed = [*requests("w " * 5000), GenerationRequest("nobody", prompt="x")]
        async with aclosing(several(engine, mixed, at_once=4)) as pieces:
            async for _ in pieces:
                pass

    with pytest.raises(UnknownModel):
        asyncio.run(all_of_them())
    assert engine.running == 0
