"""A live server on a free port, and engines for tests that are about something else than text."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from tiebreak.serve.connections import server_config
from tiebreak.serve.generation.engine import GenerationRequest, Load, Piece, ServedModel, find_model

_PATIENCE = 120.0  # seconds


@contextmanager
def live(app: ASGIApp) -> Iterator[str]:
    """Serve an app while the block runs; gives its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(server_config(app, timeout_graceful_shutdown=2))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def wait_until(true: Callable[[], object]) -> None:
    """Wait until a function gives something true, as long as a busy machine may need."""
    end = time.monotonic() + _PATIENCE
    while not true():
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

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Piece, None]:
        find_model(self.models(), request.model)
        self.asked.append(request)
        said = " ".join(map(str, request.prompt_ids or ())) if request.prompt is None else request.prompt
        words = (request.turns[-1].content if request.is_chat else said).split(" ")
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
