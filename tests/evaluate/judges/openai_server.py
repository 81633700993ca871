"""A small server on this machine that speaks OpenAI's API, and answers as a test wants it to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answered:
    """What the server answers: a status with a body and headers, after so many seconds."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def said(text: str | None, *, refusal: str | None = None, finish: str = "stop") -> Answered:
    """A completion with this text."""
    message = {"role": "assistant", "content": text, "refusal": refusal}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return Answered(body)


def verdict(choice: str) -> Answered:
    """A completion with a verdict."""
    return said(json.dumps({"reason": "so", "verdict": choice}))


def failure(
    status: int, message: str, *, code: str | None = None, headers: Mapping[str, str] | None = None
) -> Answered:
    """An error in OpenAI's shape."""
    return Answered({"error": {"message": message, "type": "e", "code": code}}, status, headers or {})


def compared(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """The conversation and the two answers of a request."""
    found: Mapping[str, Any] = json.loads(request["messages"][-1]["content"])
    return found


def prefers_longer(request: Mapping[str, Any]) -> Answered:
    """A judge that takes the longer answer, wherever it stands."""
    a, b = len(compared(request)["answer_A"]), len(compared(request)["answer_B"])
    return verdict("A" if a > b else "B" if b > a else "tie")


@dataclass
class OpenAIServer:
    """The server as a test sees it.

    Attributes:
        url: its base URL.
        requests: bodies of what came, in order.
        keys: what stood in `Authorization`.
        most: requests that were under way at once.
    """

    answer: Callable[[Mapping[str, Any]], Answered]
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    busy: int = 0


@contextmanager
def openai_server(answer: Callable[[Mapping[str, Any]], Answered] = prefers_longer) -> Iterator[OpenAIServer]:
    """A server that runs as long as the block."""
    state = OpenAIServer(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with state.lock:
                state.requests.append(body)
                state.keys.append(self.headers["Authorization"])
                state.busy += 1
                state.most = max(state.most, state.busy)
            found = state.answer(body) if self.path == "/v1/chat/completions" else failure(404, "no such path")
            time.sleep(found.seconds)
            with state.lock:
                state.busy -= 1
            data = found.body.encode() if isinstance(found.body, str) else json.dumps(found.body).encode()
            try:
                self.send_response(found.status)
                for name, value in {"Content-Type": "application/json", **found.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client did not wait

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
