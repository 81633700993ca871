"""The real app with the pages, served on a port of this machine by a thread of the test."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tiebreak.serve.app import create_app
from tiebreak.serve.engine import Engine
from tiebreak.serve.pages import PAGE_POLICY, PageSettings, mount_pages
from tiebreak.serve.settings import Limits, ServeSettings
from tiebreak.votes.store import VoteStore


class Wire:
    """Keeps all that an application sends, as it is read at the other end.

    Attributes:
        sent: bytes by path, in their order.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.sent: list[tuple[str, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def keep(message: Message) -> None:
            if message["type"] == "http.response.body":
                self.sent.append((scope["path"], message.get("body", b"")))
            await send(message)

        if scope["type"] == "http":  # nothing is packed, so that it can be read here
            plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
            scope = {**scope, "headers": plain}
        await self.app(scope, receive, keep)


@contextmanager
def serving(engine: Engine, votes: VoteStore | None, runs: Path, settings: PageSettings) -> Iterator[tuple[str, Wire]]:
    """Serve until the block ends; gives the address, and what is sent."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
        app = create_app(
            engine,
            ServeSettings(port=port, policies=(("/", PAGE_POLICY),), limits=Limits(requests_per_minute=0)),
            mount=lambda app: mount_pages(app, engine, votes=votes, runs=runs, settings=settings),
        )
        wire = Wire(app)
        server = uvicorn.Server(
            uvicorn.Config(wire, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [place]}, daemon=True)
        thread.start()
        try:
            until = time.monotonic() + 30
            while not server.started:
                if time.monotonic() > until or not thread.is_alive():
                    raise RuntimeError("The server did not start.")
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}", wire
        finally:
            server.should_exit = True
            thread.join(timeout=15)
