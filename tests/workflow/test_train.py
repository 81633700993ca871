"""From recipe to run folder: what is wrong leaves no folder, and what is finished is not done again."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from tests.workflow.conftest import Small, small_recipe
from tiebreak.errors import InputError
from tiebreak.runs import RunFolder
from tiebreak.workflow import train as module
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.run import Run
from tiebreak.workflow.train import resume, train


def test_a_recipe_that_cannot_run_leaves_the_name_free(tmp_path: Path) -> None:
    out = tmp_path / "run"
    for changes in ({"objective__name": "sigmoi"}, {"data__source": str(tmp_path / "none.jsonl")}):
        with pytest.raises(InputError):
            train(small_recipe(**changes), out=out)
        assert not out.exists()


def test_what_had_begun_is_kept_also_when_it_cannot_go_on(
    tmp_path: Path, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise InputError("The judge is gone.")

    monkeypatch.setattr(module, "finish", refuse)
    with pytest.raises(InputError, match="The judge is gone"):
        small(train__max_steps=1)
    folder = RunFolder.open(tmp_path / "run")
    manifest = folder.load_manifest()
    assert (manifest.status, manifest.error) == ("failed", "The judge is gone.")
    assert folder.last_checkpoint() is not None
    monkeypatch.undo()
    assert resume(folder.path).folder.load_manifest().status == "finished"


def test_a_finished_run_is_only_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder.create(small_recipe(), tmp_path / "run")
    folder.update_manifest(status="finished")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("it ran again")

    monkeypatch.setattr(module, "make_ready", never)
    said = io.StringIO()
    found = resume(folder.path, progress=Progress(Console(file=said, width=200)))
    assert found == Run(folder)
    assert "nothing to resume" in said.getvalue()


def test_several_processes_are_refused_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="several processes"):
        train(small_recipe(data__source="none.jsonl"), out=tmp_path / "run")


def test_metrics_after_the_last_checkpoint_are_logged_again_once(tmp_path: Path, small: Small) -> None:
    run = small(train__max_steps=4)
    rows = run.folder.metrics_path.read_text().splitlines()
    steps = [json.loads(row)["step"] for row in rows if "loss" in json.loads(row)]
    assert steps == [1, 2, 3, 4]
    # A kill after step 3: the checkpoint of step 2 is the last.
    for name in ("checkpoints/checkpoint-4", "model"):
        (run.path / name).rename(tmp_path / name.replace("/", "-"))
    run.folder.metrics_path.write_text("".join(row + "\n" for row in rows if json.loads(row)["step"] <= 3))
    run.folder.update_manifest(status="running")
    before = run.folder.load_manifest().timings["train"]
    again = resume(run.path)
    assert [row["step"] for row in again.history if "loss" in row] == [1, 2, 3, 4]
    seconds = [row["seconds"] for row in again.history]
    assert seconds == sorted(seconds)  # they go on, and do not begin anew
    manifest = again.folder.load_manifest()
    assert manifest.resumed == 1
    assert manifest.timings["train"] >= max(before, seconds[-1])


@pytest.mark.journey
def test_a_short_run_says_how_many_of_its_pairs_it_saw(small: Small) -> None:
    run = small(train__max_steps=3)
    manifest = run.folder.load_manifest()
    assert manifest.data is not None
    assert (manifest.data.seen, manifest.data.train) == (24, 64)
    assert "trained on: 24 of 64 pairs" in (run.folder.model / "README.md").read_text()
    whole = small("whole", train__max_steps=None, train__epochs=1.5).folder.load_manifest()
    assert whole.data is not None
    assert whole.data.seen == 64
