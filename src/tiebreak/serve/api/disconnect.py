"""Work for a client that may go away: it is ended then, at once, wherever it stands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Mapping
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

T = TypeVar("T")


class ClientGone(Exception):
    """The client went away before its answer."""


async def while_connected(request: Request, work: Awaitable[T]) -> T:
    """Do the work, or stop it when the client goes away.

    Args:
        request: whose body has been read.
        work: not begun yet.
    Raises:
        ClientGone: the client went away; the work has been cancelled by then.
    """
    doing = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({doing, gone}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        raise ClientGone
    finally:
        for task in (doing, gone):
            task.cancel()
        await asyncio.gather(doing, gone, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class EventStream(StreamingResponse):
    """Server-sent events whose source is closed however the stream ends.

    Args:
        events: the source.
        headers: of the answer besides.
    """

    def __init__(self, events: AsyncGenerator[bytes, None], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(
            events, media_type="text/event-stream", headers={"Cache-Control": "no-store", **(headers or {})}
        )
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._events.aclose()
