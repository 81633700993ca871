"""A live server on a free port, and engines for tests that are about something else than text."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from tiebreak.serve.engine import GenerationRequest, Load, Piece, ServedModel, find_model


@contextmanager
def live(app: ASGIApp) -> Iterator[str]:
    """Serve an app while the block runs; gives its address."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=2))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [place]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started)
        try:
            yield f"http://127.0.0.1:{place.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def wait_until(true: object, seconds: float = 20.0) -> None:
    """Wait until a function gives something true."""
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.005)


class Parrot:
    """An engine that repeats the last message word by word, as slowly as is asked for.

    Args:
        pause: seconds before each word.
    """

    def __init__(self, pause: float = 0.0) -> None:
        self.pause = pause
        self.running = 0
        self.asked: list[GenerationRequest] = []

    def models(self) -> Sequence[ServedModel]:
        return [ServedModel("parrot", "Parrot", "0" * 64)]

    def load(self) -> Load:
        return Load(0, self.running)

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Piece]:
        find_model(self.models(), request.model)
        self.asked.append(request)
        words = (request.prompt if request.prompt is not None else request.turns[-1].content).split(" ")
        self.running += 1
        try:
            for word in words:
                await asyncio.sleep(self.pause)
                yield Piece(word + " ")
            yield Piece("", "stop", len(words), len(words), request.seed)
        finally:
            self.running -= 1

    async def close(self) -> None:
        return None
