"""Runs that are killed, stopped, or out of disk: what was saved is kept, and the result is the same to the bit."""

from __future__ import annotations

import itertools
import json
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Command, environment, small_flags
from tests.end_to_end.kills import KINDS, Arena, kinds, warm
from tiebreak.recipe import Recipe

journey = pytest.mark.journey


def _start(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tiebreak", *arguments],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _weights(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


def _wait_for_step(run: Path, step: int, process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        metrics = run / "metrics.jsonl"
        if metrics.exists() and any(
            json.loads(row)["step"] >= step for row in metrics.read_text().splitlines(True)[:-1]
        ):
            return
        time.sleep(0.02)


@journey
def test_a_stopped_run_says_how_to_go_on_and_ends_the_same(tiebreak: Command, tmp_path: Path) -> None:
    tiebreak("train", *small_flags(), "--out", "whole")
    process = _start(tmp_path, "train", *small_flags(**{"train.log_every": 1}), "--out", "cut")
    _wait_for_step(tmp_path / "cut", 3, process)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "tiebreak train --out cut --resume" in said
    assert json.loads((tmp_path / "cut" / "manifest.json").read_text())["status"] == "interrupted"
    done = tiebreak("train", "--out", "cut", "--resume")
    assert "resumed from step" in done.stderr
    assert _weights(tmp_path / "cut") == _weights(tmp_path / "whole")
    steps = [json.loads(line)["step"] for line in (tmp_path / "cut" / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)


@journey
def test_a_file_that_cannot_grow_ends_the_run_with_a_sentence(tiebreak: Command, tmp_path: Path) -> None:
    def no_large_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000_000, 10_000_000))  # the weights fit, the optimizer's do not

    flags = small_flags(**{"train.save_every": 4})
    done = tiebreak("train", *flags, "--out", "full", check=False, preexec_fn=no_large_files)
    assert done.returncode == 1, done.stderr
    assert "cannot be written" in done.stderr
    assert "--resume" in done.stderr
    assert not list((tmp_path / "full" / "checkpoints").glob("checkpoint-*"))
    tiebreak("train", "--out", "full", "--resume")
    assert json.loads((tmp_path / "full" / "manifest.json").read_text())["status"] == "finished"


@journey
def test_two_processes_never_train_the_same_run(tiebreak: Command, tmp_path: Path) -> None:
    first = _start(tmp_path, "train", *small_flags(**{"train.log_every": 1}), "--out", "run")
    _wait_for_step(tmp_path / "run", 1, first)
    first.send_signal(signal.SIGSTOP)
    second = tiebreak("train", "--out", "run", "--resume", check=False)
    first.send_signal(signal.SIGCONT)
    assert second.returncode == 2
    assert "being trained by another process" in second.stderr
    _, said = first.communicate(timeout=240)
    assert first.returncode == 0, said


@journey
def test_a_run_is_not_resumed_with_other_data(tiebreak: Command, tmp_path: Path) -> None:
    tiebreak("data", "convert", "bundled:preferences", "mine.jsonl", "--limit", "120")
    flags = small_flags(**{"train.log_every": 1})
    flags[flags.index("bundled:preferences")] = "mine.jsonl"
    process = _start(tmp_path, "train", *flags, "--out", "run")
    _wait_for_step(tmp_path / "run", 3, process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 130
    lines = (tmp_path / "mine.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "mine.jsonl").write_text("".join(lines[:100]))
    done = tiebreak("train", "--out", "run", "--resume", check=False)
    assert done.returncode == 2
    assert "The data is not what this run began with." in done.stderr


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recipe]:
    return kinds(tmp_path_factory.mktemp("made"))


def _killed_runs(recipe: Recipe, folder: Path, runs: int, seed: int) -> int:
    """Kill runs of a recipe, compare what each leaves in the end, and give how many kills that were."""
    arena = Arena(recipe, folder, warm())
    whole, seconds = arena.untouched()
    kills = 0
    for number, run in enumerate(itertools.islice(arena.killed(random.Random(seed), seconds), runs)):
        assert run.outcome == whole, f"run {number}, killed after {run.moments} s"
        kills += len(run.moments)
    print(f"{folder.name}: {runs} runs were killed {kills} times; all are equal to the run that was not")
    return kills


@journey
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_of_each_kind_that_is_killed_ends_the_same(kind: str, recipes: dict[str, Recipe], tmp_path: Path) -> None:
    assert _killed_runs(recipes[kind], tmp_path / kind, runs=1, seed=1) >= 1


@pytest.mark.endurance
@pytest.mark.parametrize("kind", KINDS)
def test_ten_runs_of_each_kind_that_are_killed_end_the_same(
    kind: str, recipes: dict[str, Recipe], tmp_path: Path
) -> None:
    """A hundred results in all."""
    assert _killed_runs(recipes[kind], tmp_path / kind, runs=10, seed=2) >= 10


@journey
def test_the_same_command_starts_goes_on_and_finds_the_run_finished(tiebreak: Command, tmp_path: Path) -> None:
    command = ["train", *small_flags(**{"train.log_every": 1}), "--out", "run", "--resume-or-start"]
    process = _start(tmp_path, *command)
    _wait_for_step(tmp_path / "run", 3, process)
    process.kill()
    process.communicate()
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["status"] == "running"
    tiebreak(*command)
    first = _weights(tmp_path / "run")
    again = tiebreak(*command)
    assert again.returncode == 0
    assert "is finished" in again.stderr
    assert _weights(tmp_path / "run") == first
    other = tiebreak(*command, "--set", "train.learning_rate=0.5", check=False)
    assert other.returncode == 2
    assert "train.learning_rate is" in other.stderr
