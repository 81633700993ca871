"""Headers that are too long or too slow end a connection, and the other clients are answered meanwhile."""

from __future__ import annotations

import json
import socket
import time

import httpx
import pytest

from tests.serve.live import Parrot, live
from tiebreak.serve.app import create_app
from tiebreak.serve.connections import HEADER_BYTES, LimitedConnection
from tiebreak.serve.settings import ServeSettings


def answered(address: str, *parts: bytes, pause: float = 0.0) -> tuple[int, str]:
    """Status and message of what a client gets that sends its request in parts."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        for part in parts:
            try:
                connection.sendall(part)
            except OSError:  # it has been closed at the other end
                break
            time.sleep(pause)
        answer = b""
        try:
            while more := connection.recv(1 << 16):
                answer += more
        except OSError:  # closed while there was still something to be read
            pass
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]["message"]


def test_headers_have_a_size() -> None:
    with live(create_app(Parrot(), ServeSettings())) as address:
        long = b"X-Long: " + b"a" * (HEADER_BYTES + (8 << 10)) + b"\r\n\r\n"
        status, message = answered(address, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", long)
        assert (status, "64 KiB" in message) == (431, True)
        many = [f"X-{i}: {'a' * 1000}\r\n".encode() for i in range(200)]
        assert answered(address, b"GET /healthz HTTP/1.1\r\n", *many)[0] == 431
        fine = {"X-Long": "a" * 30_000}
        assert httpx.get(f"{address}/healthz", headers=fine).status_code == 200


def test_what_is_no_http_is_refused_in_the_same_shape() -> None:
    with live(create_app(Parrot(), ServeSettings())) as address:
        assert answered(address, b"nonsense\r\n\r\n")[0] == 400


def test_headers_have_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LimitedConnection, "seconds", 0.4)
    with live(create_app(Parrot(pause=0.3), ServeSettings())) as address:
        began = time.monotonic()
        slowly = [b"GET /healthz HTTP/1.1\r\n", *[b"X-A: b\r\n"] * 100]
        assert answered(address, *slowly, pause=0.1)[0] == 408
        assert answered(address)[0] == 408  # nothing is sent at all
        assert time.monotonic() - began < 15
        with httpx.Client(base_url=address) as client:  # an answer may take its time, and the connection is used again
            asked = {"model": "parrot", "messages": [{"role": "user", "content": "one two three"}]}
            for _ in range(2):
                assert client.post("/v1/chat/completions", json=asked, timeout=20).status_code == 200
