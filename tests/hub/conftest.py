"""A small trained run, a small Hub to push it to, and the command line in a process that sees only that Hub."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.conftest import small_flags
from tests.hub_server import Hub, serve_hub

TOKEN, NAME = "hf_averysecrettoken", "ann"
ADAPTER = ["--set", "model.adapter=lora", "--set", "train.learning_rate=0.01"]

# One process for several commands: most of a command's time is the import of the libraries.
_DRIVER = """
import contextlib, io, json, sys
from tiebreak.cli.main import run
for arguments in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            run(arguments)
        except SystemExit as done:
            code = done.code
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""


@dataclass(frozen=True)
class Said:
    """How a command ended: its exit code, and what it printed."""

    code: int
    out: str
    err: str


Ask = Callable[..., list[Said]]


def environment(home: Path, hub: Hub | None, token: str | None = TOKEN) -> dict[str, str]:
    """An environment that knows one Hub, one token, and caches of its own."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    env |= {"HF_HOME": str(home / "hf"), "TIEBREAK_CACHE": str(home / "tiebreak"), "HF_HUB_DISABLE_XET": "1"}
    env |= {"HF_ENDPOINT": hub.url} if hub is not None else {"HF_HUB_OFFLINE": "1"}
    return env | ({"HF_TOKEN": token} if token else {}) | {"OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "200"}


def started(command: list[str], cwd: Path, env: dict[str, str]) -> subprocess.Popen[str]:
    """A process that is left to run."""
    return subprocess.Popen(command, cwd=cwd, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def python(script: str, *arguments: str, cwd: Path, env: dict[str, str]) -> str:
    """What a script prints, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=cwd, env=env, text=True, capture_output=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `runs` with two finished runs of a few steps on the bundled model and data: `mine` and `adapter`."""
    base = tmp_path_factory.mktemp("hub")
    small = {"data.limit": 48, "train.max_steps": 2, "train.eval_every": 1, "train.save_every": "null"}
    flags = small_flags(**small, **{"evaluate.judge_prompts": 4, "data.eval_limit": 8, "data.max_length": 64})
    both = [["train", *flags, "--out", "runs/mine"], ["train", *flags, *ADAPTER, "--out", "runs/adapter"]]
    printed = python(_DRIVER, json.dumps(both), cwd=base, env=environment(base, None))
    for line in printed.splitlines():
        assert json.loads(line)[0] == 0, line
    return base / "runs"


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained run, in the working directory of the commands."""
    shutil.copytree(trained / "mine", tmp_path / "runs" / "mine")
    return tmp_path / "runs" / "mine"


@pytest.fixture
def adapter_run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run that trained an adapter."""
    shutil.copytree(trained / "adapter", tmp_path / "runs" / "adapter")
    return tmp_path / "runs" / "adapter"


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A Hub that knows one account."""
    with serve_hub(accounts={TOKEN: NAME}) as served:
        yield served


@pytest.fixture
def ask(tmp_path: Path, hub: Hub) -> Ask:
    """Run commands one after another in one process that sees only the test's Hub."""

    def asked(*commands: list[str], token: str | None = TOKEN, online: bool = True, **env: str) -> list[Said]:
        settings = environment(tmp_path, hub if online else None, token) | env
        printed = python(_DRIVER, json.dumps(commands), cwd=tmp_path, env=settings)
        return [Said(*json.loads(line)) for line in printed.splitlines() if line.startswith("[")]

    return asked
