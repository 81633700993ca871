"""`tiebreak serve` as a process: what it refuses before it loads anything, how it stops, and what it never says."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.serve.live import Parrot, wait_until
from tiebreak.errors import InputError
from tiebreak.serve.run import listening, require_extra, serve
from tiebreak.serve.settings import ServeSettings

KEY = "a-key-that-must-not-be-seen"


@pytest.fixture
def port() -> Iterator[int]:
    """A port that somebody else has."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        place.listen()
        yield place.getsockname()[1]


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    log = (folder / "log").open("wb")
    environment = {**os.environ, "TIEBREAK_API_KEY": KEY, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tiebreak", "serve", "bundled:base", "--port", "0", *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)


def log_of(folder: Path) -> str:
    return (folder / "log").read_text()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_server_stops_when_asked_and_has_kept_its_key_to_itself(tmp_path: Path, number: int, code: int) -> None:
    server = start(tmp_path, "--batch", "2")
    try:
        wait_until(lambda: "Serving on" in log_of(tmp_path) or server.poll() is not None, 100)
        found = re.search(r"http://127\.0\.0\.1:\d+", log_of(tmp_path))
        assert found is not None, log_of(tmp_path)
        address = found[0]
        assert httpx.get(f"{address}/v1/models").status_code == 401
        assert httpx.get(f"{address}/v1/models", headers={"Authorization": f"Bearer {KEY}2"}).status_code == 401
        headers = {"Authorization": f"Bearer {KEY}"}
        asked = {"model": "bundled:base", "prompt": "The", "max_tokens": 4}
        assert httpx.post(f"{address}/v1/completions", json=asked, headers=headers).status_code == 200
        long = {**asked, "max_tokens": 400, "temperature": 2, "stream": True}
        with httpx.stream("POST", f"{address}/v1/completions", json=long, headers=headers) as stream:
            assert stream.status_code == 200
            server.send_signal(number)
            stream.read()
            assert stream.text.endswith("data: [DONE]\n\n")  # what is on its way is finished
        assert server.wait(30) == code
    finally:
        server.kill()
        server.wait()
    assert "Stopped." in log_of(tmp_path)
    assert KEY not in log_of(tmp_path)
    assert "Traceback" not in log_of(tmp_path)


def test_a_port_in_use_is_said_before_anything_is_loaded(port: int) -> None:
    told: list[str] = []
    with pytest.raises(InputError, match=f"Port {port} is in use"):
        serve(["bundled:base"], ServeSettings(port=port), tell=told.append)
    assert told == []


def test_nobody_is_answered_before_the_models_are_there() -> None:
    with listening(ServeSettings(port=0)) as place, pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{place.getsockname()[1]}/healthz")


@pytest.mark.parametrize(
    ("settings", "more", "what"),
    [
        (ServeSettings(host="0.0.0.0", port=0), {}, "asks nobody"),
        (ServeSettings(host="192.0.2.1", port=0, api_keys=(KEY,)), {}, "no address"),
        (ServeSettings(host="no such host", port=0, api_keys=(KEY,)), {}, "no host"),
        (ServeSettings(port=0), {"engine": "openai"}, "needs the address"),
        (ServeSettings(port=0), {"base_url": "http://127.0.0.1:1/v1"}, "run here"),
        (ServeSettings(port=0), {"engine": "openai", "base_url": "http://127.0.0.1:1/v1", "base": True}, "not known"),
    ],
)
def test_what_cannot_work_is_said_in_a_sentence(settings: ServeSettings, more: dict[str, object], what: str) -> None:
    with pytest.raises(InputError, match=what):
        serve(["bundled:base"], settings, **more)  # type: ignore[arg-type]


def test_a_missing_model_is_said_before_any_is_loaded() -> None:
    told: list[str] = []
    with pytest.raises(InputError, match="no model folder"):
        serve(["bundled:base", "./nowhere"], ServeSettings(port=0), tell=told.append)
    assert told == []


def test_a_missing_extra_is_said_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else there(name))
    with pytest.raises(InputError, match=r"not installed: uvicorn") as refused:
        require_extra()
    assert refused.value.fix == 'pip install "tiebreak[serve]"'


def test_pages_are_mounted_behind_the_routes_of_the_api() -> None:
    from fastapi import FastAPI
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient

    from tiebreak.serve.app import create_app

    def mount(app: FastAPI) -> FastAPI:
        app.mount("/", Starlette(routes=[Route("/", lambda _: PlainTextResponse("a page"))]))
        return app

    settings = ServeSettings(policies=(("/", "default-src 'self'"), ("/v1/", "default-src 'none'")))
    client = TestClient(create_app(Parrot(), settings, mount=mount), base_url="http://localhost")
    page = client.get("/")
    assert (page.text, page.headers["content-security-policy"]) == ("a page", "default-src 'self'")
    models = client.get("/v1/models")
    assert (models.json()["data"][0]["id"], models.headers["content-security-policy"]) == (
        "parrot",
        "default-src 'none'",
    )
