"""Several answers to one request: asked for together, so many at a time, and given as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from tiebreak.serve.generation.engine import Engine, GenerationRequest, Piece

Numbered = tuple[int, Piece]


async def several(
    engine: Engine, requests: Sequence[GenerationRequest], *, at_once: int
) -> AsyncGenerator[Numbered, None]:
    """The pieces of all answers, each with the number of its request; closing the generator ends all work.

    Args:
        engine: that generates.
        requests: at least one.
        at_once: requests that the engine has at a time, so that one client does not fill its queue.
    Raises:
        TiebreakError: of the first request that fails; the others are ended.
    """
    if len(requests) == 1:
        async with aclosing(engine.generate(requests[0])) as pieces:
            async for piece in pieces:
                yield 0, piece
        return
    inbox: asyncio.Queue[Numbered | BaseException] = asyncio.Queue()
    free = asyncio.Semaphore(at_once)
    tasks = [asyncio.create_task(_one(engine, i, request, free, inbox)) for i, request in enumerate(requests)]
    try:
        growing = len(tasks)
        while growing:
            what = await inbox.get()
            if isinstance(what, BaseException):
                raise what
            growing -= what[1].finish_reason is not None
            yield what
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _one(
    engine: Engine,
    number: int,
    request: GenerationRequest,
    free: asyncio.Semaphore,
    inbox: asyncio.Queue[Numbered | BaseException],
) -> None:
    try:
        async with free, aclosing(engine.generate(request)) as pieces:
            async for piece in pieces:
                inbox.put_nowait((number, piece))
    except Exception as error:  # noqa: BLE001  raised where the answers are taken
        inbox.put_nowait(error)
