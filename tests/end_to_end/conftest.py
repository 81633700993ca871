"""What whole journeys need: the command as a process of its own, and a small recipe on the bundled data."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]

SMALL = {
    "data.limit": 192,
    "data.max_length": 128,
    "data.eval_limit": 24,
    "train.max_steps": 12,
    "train.batch_size": 16,
    "train.learning_rate": 3e-4,
    "train.eval_every": 4,
    "train.save_every": 2,
    "train.keep_best": "null",
    "evaluate.judge_prompts": 8,
    "evaluate.samples": 2,
    "evaluate.max_new_tokens": 8,
}


def small_flags(**changes: object) -> list[str]:
    """Flags of a run of a few seconds on the bundled model and data."""
    settings = {**SMALL, **changes}
    pairs = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    return ["--model", "bundled:base", "--data", "bundled:preferences", *pairs]


def environment(tmp_path: Path) -> dict[str, str]:
    """An environment without network and with caches of its own."""
    return {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "TIEBREAK_CACHE": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
        "NO_COLOR": "1",
        "COLUMNS": "120",
    }


@pytest.fixture
def tiebreak(tmp_path: Path) -> Command:
    """Run the command line as a user does, in an empty folder."""

    def run(*arguments: str, check: bool = True, **settings: object) -> subprocess.CompletedProcess[str]:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [sys.executable, "-m", "tiebreak", *arguments],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            **settings,  # type: ignore[call-overload]
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    return run
