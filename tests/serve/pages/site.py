"""The real app with the pages, served on a port of this machine by a thread of the test."""

from __future__ import annotations

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


class Wire:
    """Keeps all that an application sends, as it is read at the other end.

    Attributes:
        sent: bytes by path, in their order.
        open: paths of the requests that are being answered, of those that came since the last `begin`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.sent: list[tuple[str, bytes]] = []
        self.open: list[str] = []

    def begin(self) -> None:
        """Start anew: what a closed page has left open is of no concern to the next one."""
        self.sent.clear()
        self.open = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def keep(message: Message) -> None:
            if message["type"] == "http.response.body":
                self.sent.append((scope["path"], message.get("body", b"")))
            await send(message)

        if scope["type"] != "http" or scope["path"].startswith(_LASTING):
            await self.app(scope, receive, send)
            return
        # Nothing is packed, so that it can be read here.
        plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        opened = self.open
        opened.append(scope["path"])
        try:
            await self.app({**scope, "headers": plain}, receive, keep)
        finally:
            opened.remove(scope["path"])


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
