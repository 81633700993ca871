"""The run folder: names that are never shared, checkpoints that are whole, one process at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tiebreak.errors import InputError
from tiebreak.recipe import Recipe
from tiebreak.runs import RunFolder
from tiebreak.runs.folder import list_runs
from tiebreak.runs.loop import LoopFolder
from tiebreak.runs.metrics import append_metrics, cut_metrics, read_metrics

RECIPE = Recipe(model="org/gpt2", data="data/prefs.jsonl.gz")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_runs_get_names_of_their_own() -> None:
    paths = [RunFolder.create(RECIPE).path for _ in range(3)]
    assert [str(path) for path in paths] == [f"runs/gpt2-prefs-{n}" for n in (1, 2, 3)]
    assert {run.path for run in list_runs()} == set(paths)


def test_a_folder_with_something_in_it_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "a").write_text("")
    with pytest.raises(InputError, match="not empty") as caught:
        RunFolder.create(RECIPE, tmp_path / "taken")
    assert "--resume" in str(caught.value)


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a run folder"):
        RunFolder.open(tmp_path)


def test_the_manifest_keeps_what_was_recorded_before() -> None:
    run = RunFolder.create(RECIPE)
    assert run.manifest() == {}
    run.record(status="running", threads=2)
    run.record(status="finished")
    assert run.manifest() == {"status": "finished", "threads": 2}
    assert run.recipe() == RECIPE


def test_the_last_checkpoint_is_the_one_with_the_most_steps() -> None:
    run = RunFolder.create(RECIPE)
    assert run.last_checkpoint() is None
    for name in ("checkpoint-9", "checkpoint-10", ".partial", "checkpoint-x"):
        (run.checkpoints / name).mkdir(parents=True)
    found = run.last_checkpoint()
    assert found is not None
    assert found.name == "checkpoint-10"


def test_a_run_is_held_by_one_process_at_a_time() -> None:
    run = RunFolder.create(RECIPE)
    with run.locked(), pytest.raises(InputError, match="another process"), run.locked():
        pass
    with run.locked():
        pass


def test_a_run_that_never_began_leaves_nothing() -> None:
    run = RunFolder.create(RECIPE)
    run.record(status="failed")
    run.discard()
    assert not run.path.exists()


def test_metrics_survive_a_line_that_was_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    for step in range(1, 5):
        append_metrics(file, {"step": step, "loss": float("nan") if step == 2 else 0.5})
    with file.open("a") as opened:
        opened.write('{"step": 5, "lo')
    assert [row["step"] for row in read_metrics(file)] == [1, 2, 3, 4]
    cut_metrics(file, 2)
    assert [json.loads(line) for line in file.read_text().splitlines()] == [
        {"step": 1, "loss": 0.5},
        {"step": 2, "loss": None},
    ]


def test_the_run_of_a_turn_is_called_as_the_turn_and_any_other_as_its_folder(tmp_path: Path) -> None:
    LoopFolder(tmp_path / "circle").begin("bundled:base")
    assert RunFolder(tmp_path / "circle" / "turn-2" / "run").title == "turn-2"
    assert RunFolder(tmp_path / "elsewhere" / "run").title == "run"
    assert RunFolder(tmp_path / "circle").title == "circle"
