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

from tests.serve.live import wait_until
from tiebreak.errors import InputError
from tiebreak.serve.run import listening, require_extra, serve, serve_models
from tiebreak.serve.settings import ServeSettings
from tiebreak.votes import open_votes
from tiebreak.votes.address import default_votes, parse_address

KEY = "a-key-that-must-not-be-seen"


@pytest.fixture
def port() -> Iterator[int]:
    """A port that somebody else has."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    log = (folder / "log").open("wb")
    environment = {**os.environ, "TIEBREAK_API_KEY": KEY, "OMP_NUM_THREADS": "1", "TIEBREAK_DATA": str(folder / "data")}
    command = [sys.executable, "-m", "tiebreak", "serve", "bundled:base", "--port", "0", *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)


def log_of(folder: Path) -> str:
    return (folder / "log").read_text()


@pytest.mark.journey
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_server_stops_when_asked_and_has_kept_its_key_to_itself(tmp_path: Path, number: int, code: int) -> None:
    server = start(tmp_path, "--batch", "2")
    try:
        wait_until(lambda: "Serving on" in log_of(tmp_path) or server.poll() is not None)
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
        assert server.wait(120) == code
    finally:
        server.kill()
        server.wait()
    assert "Stopped." in log_of(tmp_path)
    assert f"Votes are kept in {tmp_path / 'data' / 'votes.db'}\n" in log_of(tmp_path)
    assert not (tmp_path / "votes.db").exists()
    assert KEY not in log_of(tmp_path)
    assert "Traceback" not in log_of(tmp_path)


def test_a_port_in_use_is_said_before_anything_is_loaded(port: int) -> None:
    messages: list[str] = []
    with pytest.raises(InputError, match=f"Port {port} is in use"):
        serve(["bundled:base"], ServeSettings(port=port), on_message=messages.append)
    assert messages == []


def test_nobody_is_answered_before_the_models_are_there() -> None:
    with listening(ServeSettings(port=0)) as listener, pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{listener.getsockname()[1]}/healthz")


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
    messages: list[str] = []
    with pytest.raises(InputError, match="no model folder"):
        serve(["bundled:base", "./nowhere"], ServeSettings(port=0), on_message=messages.append)
    assert messages == []


def test_a_missing_extra_is_said_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else there(name))
    with pytest.raises(InputError, match=r"not installed: uvicorn") as refused:
        require_extra()
    assert refused.value.fix == 'pip install "tiebreak[serve]"'


def test_votes_are_kept_where_they_were_and_else_in_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIEBREAK_DATA", str(tmp_path / "own" / "data"))
    assert default_votes() == str(tmp_path / "own" / "data" / "votes.db")
    assert not (tmp_path / "own").exists()
    open_votes(default_votes(create_folder=True)).close()
    assert parse_address(default_votes()).located == str(tmp_path / "own" / "data" / "votes.db")
    open_votes("votes.db").close()
    assert parse_address(default_votes()).located == str(tmp_path / "votes.db")
    monkeypatch.delenv("TIEBREAK_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    (tmp_path / "votes.db").unlink()
    assert default_votes() == str(tmp_path / "xdg" / "tiebreak" / "votes.db")
    (tmp_path / "xdg").write_text("in the way")
    with pytest.raises(InputError, match="no folder for the votes"):
        default_votes(create_folder=True)


def test_a_password_of_the_votes_is_not_said() -> None:
    assert parse_address("postgresql://anna:secret@db.invalid/votes").located == (
        "postgresql+psycopg://anna:***@db.invalid/votes"
    )


IN_A_NOTEBOOK = """
import asyncio, logging, os, signal, sys, threading, time, urllib.request, torch, tiebreak
threads, handlers = torch.get_num_threads(), [logging.getLogger(n).handlers for n in (None, "uvicorn", "uvicorn.error")]

def ask():
    for _ in range(600):
        try:
            print(urllib.request.urlopen("http://127.0.0.1:%s/healthz" % sys.argv[1]).read().decode())
            break
        except OSError:
            time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGINT)

async def cell():
    threading.Thread(target=ask).start()
    try:
        tiebreak.serve("bundled:base", port=int(sys.argv[1]), runs=None)
    except tiebreak.Interrupted as stopped:
        print(stopped)

signal.signal(signal.SIGINT, signal.default_int_handler)
loop = asyncio.new_event_loop()  # as Jupyter has one, in which cells run
loop.run_until_complete(cell())
assert torch.get_num_threads() == threads
assert [logging.getLogger(n).handlers for n in (None, "uvicorn", "uvicorn.error")] == handlers
"""


@pytest.mark.journey
def test_it_serves_in_a_notebook_too_until_the_kernel_is_interrupted() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = subprocess.run(
        [sys.executable, "-c", IN_A_NOTEBOOK, str(port)], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ['{"status":"ok"}', "Stopped by Ctrl-C."]
    assert done.stderr == ""


@pytest.mark.parametrize("models", ["run", Path("run"), ["run"], [Path("run")]])
def test_models_are_named_one_or_several_as_paths_or_texts(models: object, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(
        "tiebreak.serve.run.serve", lambda names, settings, **more: asked.append((names, settings.port))
    )
    serve_models(models, ServeSettings(port=7), engine="openai")  # type: ignore[arg-type]
    serve_models(models, ServeSettings(port=7), port=8, engine="openai")  # type: ignore[arg-type]
    assert asked == [(["run"], 7), (["run"], 8)]
