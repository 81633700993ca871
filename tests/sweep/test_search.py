"""A whole search: from a call to the best run, on after a kill, beside other workers, and nothing scored twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import tiebreak
from tests.sweep.made import MadeUp, searched
from tests.sweep.test_drive import by_rate
from tests.workflow.conftest import SMALL
from tiebreak.engine import reference
from tiebreak.errors import InputError, RunError
from tiebreak.recipe import Recipe
from tiebreak.sweep import trial as module
from tiebreak.sweep.begin import begin
from tiebreak.sweep.folder import SweepFolder
from tiebreak.sweep.search import open_search

RATES = {"train.learning_rate": [1e-6, 2e-6, 3e-6]}


def test_a_search_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "train_among", MadeUp(by_rate))
    out = tmp_path / "search"
    found = tiebreak.sweep("default", over=RATES, out=out, settings={"sweep.seeds": 2})
    assert [trial.state for trial in found] == ["finished"] * 3 == [trial.state for trial in open_search(out)]
    assert len(found) == 3
    assert found.best_trials[0].settings == {"train.learning_rate": 2e-6}
    assert found.best.path == out / "trials" / "0001-seed-0"
    assert [len(trial.runs) for trial in found] == [2, 2, 2]
    assert found.trials[0].values["eval_loss"] == pytest.approx(0.6005)
    assert json.loads(json.dumps(found.to_json()))["best"] == [1]
    assert os.fspath(found) == str(out)
    for name in ("sweep.yaml", "best.yaml", "results.csv", "results.xlsx", "report.html", "study.journal"):
        assert (out / name).is_file(), name
    assert (out / "best" / "config.json").is_file()


def test_the_same_goes_on_and_another_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "search"
    assert begin(searched(RATES), out) == begin(searched(RATES), out) == SweepFolder(out)
    with pytest.raises(
        InputError, match=r"another recipe: train.epochs is 1.0 there and 9.0 here, sweep.seeds is 1 there and 3 here"
    ):
        begin(searched(RATES, {"train": {"epochs": 9}}, seeds=3), out)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(InputError, match="is not empty"):
        begin(searched(RATES), tmp_path / "other")


def test_what_the_first_trial_lacks_is_said_before_a_folder_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.jsonl"):
        begin(searched(RATES, {"data": {"source": str(tmp_path / "none.jsonl")}}), tmp_path / "search")
    assert not (tmp_path / "search").exists()


def test_a_search_without_a_result_has_no_best_run(tmp_path: Path) -> None:
    found = open_search(begin(searched(RATES), tmp_path / "search").path)
    assert [trial.state for trial in found] == ["waiting"] * 3
    assert found.best_trials == ()
    with pytest.raises(RunError, match="No trial"):
        _ = found.best


def small(tmp_path: Path, **changes: Any) -> Recipe:
    """A search of real, short runs."""
    base = Recipe().with_settings({**SMALL, "data.limit": 16, "data.eval_limit": 8, **changes})
    over = {"train.learning_rate": [1e-3, 2e-3], "objective.beta": [0.1, 0.3]}
    return base.with_settings({"sweep.over": over, "sweep.objective": ["accuracy"]})


def test_four_real_trials_score_the_reference_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(tmp_path / "cache"))
    scored: list[int] = []
    real: Any = vars(reference)["score_parts"]

    def count(of: Any, parts: Any, scorer: Any) -> Any:
        scored.append(sum(map(len, parts)))
        return real(of, parts, scorer)

    monkeypatch.setattr(reference, "score_parts", count)
    found = tiebreak.sweep(small(tmp_path), out=tmp_path / "search")
    assert [trial.state for trial in found] == ["finished"] * 4
    assert sum(scored) == 16 + 8  # each row and each held-out row once, whatever the number of trials
    again = tiebreak.train(tmp_path / "search" / "best.yaml", out=tmp_path / "alone")
    assert again.metrics == found.best.metrics


@pytest.mark.parametrize("anyway", [False, True])
def test_a_trial_that_the_doctor_stops_has_failed_unless_it_is_wanted_anyway(tmp_path: Path, anyway: bool) -> None:
    row = {"score_chosen": 1.0, "score_rejected": 9.0}  # the better scores stand under `rejected`
    rows = [{"prompt": f"What is {n}?", "chosen": f"It is {n}.", "rejected": f"Maybe {n}.", **row} for n in range(60)]
    data = tmp_path / "reversed.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    changes = {"data.source": str(data), "data.limit": None, "sweep.anyway": anyway, "train.max_steps": 2}
    recipe = small(tmp_path).with_settings(changes)
    if anyway:
        assert {trial.state for trial in tiebreak.sweep(recipe, out=tmp_path / "search")} == {"finished"}
        return
    with pytest.raises(RunError, match="All 4 trials failed; the first: Nothing can come of this run"):
        tiebreak.sweep(recipe, out=tmp_path / "search")
    assert {trial.state for trial in open_search(tmp_path / "search")} == {"failed"}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "tiebreak", "sweep", *words]


@pytest.mark.journey
def test_a_killed_search_goes_on_beside_another_worker(tmp_path: Path) -> None:
    """Killed in a trial: its run goes on from its checkpoint, and the result is that of a search in one go."""
    recipe = small(tmp_path, **{"train.max_steps": 30, "train.save_every": 2, "train.eval_every": 10})
    path = tmp_path / "search.yaml"
    path.write_text(recipe.to_yaml())
    env = {**os.environ, "TIEBREAK_CACHE": str(tmp_path / "cache")}
    out = tmp_path / "killed"
    first = subprocess.Popen(command(str(path), "--out", str(out)), env=env, stderr=subprocess.DEVNULL)
    checkpoints = out / "trials" / "0001" / "checkpoints"
    until = time.monotonic() + 200
    while not list(checkpoints.glob("checkpoint-*")) and time.monotonic() < until:
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    begun = [trial.state for trial in open_search(out)]
    assert begun[:2] == ["finished", "running"]
    workers = [
        subprocess.Popen(
            command("--worker", str(out)), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [worker.communicate(timeout=250) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    found = open_search(out)
    assert [trial.state for trial in found] == ["finished"] * 4
    assert found.trials[1].runs[0].folder.load_manifest().resumed == 1
    whole = subprocess.run(
        command(str(path), "--out", str(tmp_path / "whole")), env=env, capture_output=True, check=True
    )
    assert b"best    trial" in whole.stdout
    assert [trial.values for trial in found] == [trial.values for trial in open_search(tmp_path / "whole")]
