"""A request is answered, whole or as a stream, within its time and for as long as its client is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from tiebreak.errors import TiebreakError
from tiebreak.serve.api.asked import Asked
from tiebreak.serve.api.disconnect import ClientGone, EventStream, while_connected
from tiebreak.serve.api.errors import RequestFailed, error_answer, error_body, explain
from tiebreak.serve.api.guard import RateLimit, client_of
from tiebreak.serve.api.metrics import Metrics
from tiebreak.serve.api.responses import ResponseEvents, response_answer
from tiebreak.serve.api.writing import Chunks, Collected, event, whole_answer
from tiebreak.serve.generation.engine import Engine, Piece
from tiebreak.serve.generation.several import Numbered, several
from tiebreak.serve.settings import Limits

NOTICE = "X-Tiebreak-Notice"
"""The header that says what was answered otherwise than asked for."""


@dataclass(frozen=True)
class Api:
    """What the routes share."""

    engine: Engine
    limits: Limits
    metrics: Metrics
    rate: RateLimit


class _Events(Protocol):
    """Writes the events of a stream."""

    def piece(self, index: int, piece: Piece) -> list[bytes]: ...

    def end(self, last: list[Piece]) -> list[bytes]: ...


async def answer(api: Api, request: Request, read: Callable[[], Asked]) -> Response:
    """Answer a request.

    Args:
        api: the engine and its limits.
        request: whose body has been read.
        read: makes of the body what the engine is asked; called once the client may ask at all.
    Raises:
        RequestFailed, TiebreakError: it is not answered.
    """
    if wait := api.rate.wait(client_of(request.scope)):
        message = f"More than {api.limits.requests_per_minute} requests a minute."
        return error_answer(429, message, code="rate_limit_exceeded", headers={"Retry-After": str(wait)})
    asked = read()
    headers = {} if asked.notice is None else {NOTICE: asked.notice}
    try:
        if asked.stream:
            return await _streamed(api, request, asked, headers)
        return JSONResponse(await while_connected(request, _whole(api, asked)), headers=headers)
    except ClientGone:
        api.metrics.cancelled.inc()
        return Response(status_code=499)  # nobody reads it; the metrics do
    except TimeoutError as error:
        status, message, param, code = explain(error)
        raise RequestFailed(status, message, param=param, code=code) from None


def _pieces(api: Api, asked: Asked) -> AsyncGenerator[Numbered, None]:
    return several(api.engine, asked.requests, at_once=api.limits.rows)


async def _whole(api: Api, asked: Asked) -> dict[str, Any]:
    answers = [Collected() for _ in asked.requests]
    async with asyncio.timeout(api.limits.seconds), aclosing(_pieces(api, asked)) as pieces:
        async for index, piece in pieces:
            answers[index].add(piece)
    for one in answers:
        api.metrics.count(asked.model.name, one.last)
    return response_answer(asked, answers[0]) if asked.kind == "response" else whole_answer(asked, answers)


async def _streamed(api: Api, request: Request, asked: Asked, headers: dict[str, str]) -> Response:
    """The first piece decides whether there is a stream at all: before it, a failure has a status of its own."""
    pieces = _pieces(api, asked)
    deadline = asyncio.get_running_loop().time() + api.limits.seconds
    try:
        async with asyncio.timeout_at(deadline):
            first = await while_connected(request, anext(pieces))
    except BaseException:
        await pieces.aclose()
        raise
    api.metrics.begun(asked.model.name, asked.began)
    return EventStream(_events(api, asked, first, pieces, deadline), headers)


async def _events(
    api: Api, asked: Asked, first: Numbered, pieces: AsyncGenerator[Numbered, None], deadline: float
) -> AsyncGenerator[bytes, None]:
    """The answers as server-sent events."""
    events: _Events = ResponseEvents(asked) if asked.kind == "response" else Chunks(asked)
    last: dict[int, Piece] = {}
    finished = False
    try:
        index, piece = first
        while True:
            for one in events.piece(index, piece):
                yield one
            if piece.finish_reason is not None:
                last[index] = piece
                api.metrics.count(asked.model.name, piece)
            if len(last) == len(asked.requests):
                break
            async with asyncio.timeout_at(deadline):
                index, piece = await anext(pieces)
        for one in events.end([last[i] for i in range(len(last))]):
            yield one
        finished = True
    except (TiebreakError, TimeoutError) as error:
        status, message, param, code = explain(error)
        yield event(error_body(status, message, param=param, code=code))
        finished = True
    finally:
        if not finished:
            api.metrics.cancelled.inc()
        await pieces.aclose()
