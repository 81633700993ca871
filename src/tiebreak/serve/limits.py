"""How much one client may ask: the size of a body, how slowly it may come, and requests a minute."""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tiebreak.serve.api_errors import error_answer

_CLIENTS = 10_000
_BODY_SECONDS = 30.0


class BodyLimit:
    """Takes in the body of a request before anything else sees it, up to a size and within a time.

    Args:
        app: what comes after.
        max_bytes: longest body.
        seconds: within which it must have come.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, seconds: float = _BODY_SECONDS) -> None:
        self.app, self.max_bytes, self.seconds = app, max_bytes, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        stated = Headers(scope=scope).get("content-length", "0")
        if stated.isdigit() and int(stated[:20]) > self.max_bytes:
            await self._too_large(scope, receive, send)
            return
        body, complete = bytearray(), False
        try:
            async with asyncio.timeout(self.seconds):
                while not complete:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return
                    body += message.get("body", b"")
                    complete = not message.get("more_body", False)
                    if len(body) > self.max_bytes:
                        await self._too_large(scope, receive, send)
                        return
        except TimeoutError:
            answer = error_answer(
                408, "The body of the request took too long to come.", headers={"Connection": "close"}
            )
            await answer(scope, receive, send)
            return
        await self.app(scope, _again(bytes(body), receive), send)

    async def _too_large(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = f"The body of the request is longer than {self.max_bytes} bytes."
        answer = error_answer(413, message, code="request_too_large", headers={"Connection": "close"})
        await answer(scope, receive, send)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body that was taken in, and then whatever comes after it."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


class RateLimit:
    """So many requests a minute from each client, with as many at once; the least recent clients are forgotten.

    Args:
        per_minute: requests; 0 is no limit.
        clock: seconds, for tests.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute, self._clock = per_minute, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str) -> int:
        """Count a request of a client.

        Returns:
            0, or the seconds after which the client may try again; the request is not counted then.
        """
        if self.per_minute <= 0:
            return 0
        now = self._clock()
        left, since = self._left.pop(client, (float(self.per_minute), now))
        left = min(float(self.per_minute), left + (now - since) * self.per_minute / 60)
        allowed = left >= 1
        self._left[client] = (left - 1 if allowed else left, now)
        if len(self._left) > _CLIENTS:
            self._left.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((1 - left) * 60 / self.per_minute))


def client_of(scope: Scope) -> str:
    """Whom a request counts for: the address it comes from and the credentials it brings, kept as a digest only."""
    client = scope.get("client")
    address = str(client[0]) if client else "unknown"
    credentials = Headers(scope=scope).get("authorization", "")
    return hashlib.sha256(f"{address}\0{credentials}".encode()).hexdigest()
