"""The run folder: names that are never shared, checkpoints that are whole, one process at a time."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.report.made import make_run, manifest_of
from tiebreak.errors import InputError
from tiebreak.recipe import Recipe
from tiebreak.runs import RunFolder
from tiebreak.runs.folder import find_run, list_runs
from tiebreak.runs.loop import LoopFolder
from tiebreak.runs.manifest import Manifest
from tiebreak.tasks import TaskName

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
    assert "--resume" not in str(caught.value)
    RunFolder.create(RECIPE, tmp_path / "run")
    with pytest.raises(InputError, match="not empty") as caught:
        RunFolder.create(RECIPE, tmp_path / "run")
    assert "--resume" in str(caught.value)


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a run folder"):
        RunFolder.open(tmp_path)


def test_the_manifest_keeps_what_was_recorded_before() -> None:
    run = RunFolder.create(RECIPE)
    assert run.load_manifest() == Manifest()
    run.save_manifest(run.load_manifest().replace(status="running", threads=2))
    run.save_manifest(run.load_manifest().replace(status="finished"))
    assert run.load_manifest() == Manifest(status="finished", threads=2)
    assert run.recipe() == RECIPE


def test_a_run_that_recorded_no_task_has_that_of_its_recipe() -> None:
    run = RunFolder.create(Recipe(objective="supervised"), Path("sft"))
    assert run.load_manifest().task == "supervised"
    run.save_manifest(Manifest(status="failed", task="unpaired"))
    assert run.load_manifest().task == "unpaired"


@pytest.mark.parametrize(
    ("objective", "task"),
    [
        ("kto", "unpaired"),
        ("kto_pair", "preference"),
        ("sigmoid", "preference"),
        ("supervised", "supervised"),
        ("own_losses:of_one", "preference"),  # only its module could say more, and looking at a run imports none
    ],
)
def test_a_run_that_recorded_no_task_yet_has_that_of_its_objective(objective: str, task: TaskName) -> None:
    run = RunFolder.create(Recipe(objective=objective), Path("run"))
    assert run.load_manifest().task == task
    run.update_manifest(status="running")
    assert run.load_manifest().task == task


def test_a_run_whose_recipe_cannot_be_read_is_taken_for_one_on_pairs() -> None:
    run = RunFolder.create(Recipe(objective="kto"), Path("run"))
    run.recipe_path.write_text("objective: {name: of_a_later_version}\n")
    assert run.load_manifest().task == "preference"


def test_fields_are_recorded_and_the_others_stay() -> None:
    run = RunFolder.create(RECIPE)
    run.update_manifest(status="running", threads=2)
    run.update_manifest(status="finished", after={"eval_loss": float("nan")}, measured=True)
    manifest = run.load_manifest()
    assert (manifest.state, manifest.threads, manifest.after) == ("finished", 2, {"eval_loss": None})
    with pytest.raises(ValueError, match="no field kind"):
        run.update_manifest(kind="unpaired")


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
    run.save_manifest(Manifest(status="failed"))
    run.discard()
    assert not run.path.exists()


def test_the_run_of_a_turn_is_called_as_the_turn_and_any_other_as_its_folder(tmp_path: Path) -> None:
    LoopFolder(tmp_path / "circle").begin("bundled:base")
    assert RunFolder(tmp_path / "circle" / "turn-2" / "run").title == "turn-2"
    assert RunFolder(tmp_path / "elsewhere" / "run").title == "run"
    assert RunFolder(tmp_path / "circle").title == "circle"


def test_a_run_is_found_by_path_and_by_name(tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs" / "first", manifest=manifest_of())
    assert find_run(str(run.path)).path == run.path
    assert find_run("first", tmp_path / "runs").path == run.path


def test_a_run_that_is_not_there_is_an_error_with_near_names(tmp_path: Path) -> None:
    make_run(tmp_path / "first-1")
    with pytest.raises(InputError, match="did you mean first-1"):
        find_run("frist-1", tmp_path)
    with pytest.raises(InputError, match="the newest runs here: first-1"):
        find_run("zzz", tmp_path)
    with pytest.raises(InputError, match="quickstart"):
        find_run("", tmp_path / "nowhere")


def test_a_run_that_cannot_be_written_to_is_refused_in_a_sentence(tmp_path: Path) -> None:
    folder = RunFolder.create(Recipe(), tmp_path / "run")
    (folder.path / ".lock").mkdir()  # as a read-only folder does, also to a user who may do everything
    with pytest.raises(InputError, match="cannot be written to") as error, folder.locked():
        pass
    assert (error.value.where, error.value.__cause__) == (str(folder.path), None)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BlockingIOError(errno.EWOULDBLOCK, "busy"), "another process"),
        (OSError(errno.ENOLCK, "No locks available"), "No locks available"),
    ],
)
def test_a_run_that_cannot_be_held_says_why(
    error: OSError, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error

    folder = RunFolder.create(Recipe(), tmp_path / "run")
    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(InputError, match=told), folder.locked():
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="this user may write everywhere")
def test_a_read_only_folder_is_refused_in_a_sentence(tmp_path: Path) -> None:
    folder = RunFolder.create(Recipe(), tmp_path / "run")
    folder.path.chmod(0o555)
    try:
        with pytest.raises(InputError, match="Permission denied"), folder.locked():
            pass
    finally:
        folder.path.chmod(0o755)
