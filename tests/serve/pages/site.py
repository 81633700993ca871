"""The real app with the pages, served on a port of this machine by a thread of the test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.serve.live import live
from tiebreak.serve.app import create_app
from tiebreak.serve.generation.engine import Engine
from tiebreak.serve.pages import PAGE_POLICY, PageSettings, mount_pages
from tiebreak.serve.settings import Limits, ServeSettings
from tiebreak.votes.store import VoteStore

_LASTING = "/gradio_api/heartbeat/"  # open for as long as a page is
_ASKED = "/gradio_api/queue/join"
_STREAM = "/gradio_api/queue/data"  # may stay open with nothing to say: what it brings is what counts


class Wire:
    """Keeps all that an application sends, as it is read at the other end.

    Attributes:
        sent: bytes by path, in their order.
        open: of what came since the last `begin`, the paths that are being answered and the events that are not done.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.begin()

    def begin(self) -> None:
        """Start anew: what a closed page has left open is of no concern to the next one."""
        self.sent: list[tuple[str, bytes]] = []
        self._answering: list[str] = []
        self._asked: set[str] = set()
        self._done: set[str] = set()

    @property
    def open(self) -> list[str]:
        return [*self._answering, *sorted(self._asked - self._done)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_LASTING):
            await self.app(scope, receive, send)
            return
        path, answering, asked, done = scope["path"], self._answering, self._asked, self._done

        async def keep(message: Message) -> None:
            part = message.get("body", b"")
            if message["type"] == "http.response.body":
                self.sent.append((path, part))
            if path == _ASKED and b"event_id" in part:
                asked.add(json.loads(part)["event_id"])
            ended = _ended(part) if path == _STREAM else None
            await send(message)
            if ended:
                done.add(ended)

        # Nothing is packed, so that it can be read here.
        plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        if path != _STREAM:
            answering.append(path)
        try:
            await self.app({**scope, "headers": plain}, receive, keep)
        finally:
            if path != _STREAM:
                answering.remove(path)


def _ended(part: bytes) -> str | None:
    """The event that a message of the stream says is done."""
    if b'"process_completed"' not in part:
        return None
    message = json.loads(part.removeprefix(b"data: "))
    return str(message["event_id"]) if message["msg"] == "process_completed" else None


@contextmanager
def serving(engine: Engine, votes: VoteStore | None, runs: Path, settings: PageSettings) -> Iterator[tuple[str, Wire]]:
    """Serve until the block ends; gives the address, and what is sent."""
    app = create_app(
        engine,
        ServeSettings(policies=(("/", PAGE_POLICY),), limits=Limits(requests_per_minute=0)),
        mount=lambda app: mount_pages(app, engine, votes=votes, runs=runs, settings=settings),
    )
    wire = Wire(app)
    with live(wire) as address:
        yield address, wire
