"""A session of a run: what may have changed since the last one, and the time of its parts."""

from __future__ import annotations

import errno
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from tiebreak.errors import InputError, RunError
from tiebreak.recipe import Recipe
from tiebreak.runs import RunFolder
from tiebreak.runs.manifest import DataRecord, ModelRecord
from tiebreak.runs.metrics_file import append_metrics
from tiebreak.tasks import TaskName
from tiebreak.workflow.lifecycle import check_unchanged, command_line, counted, recorded_session, timed


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run that began with data `d`, model `m` and a loss of somebody's, and has one checkpoint."""
    run = RunFolder.create(Recipe(), tmp_path / "run")
    run.update_manifest(
        data=DataRecord(source="pairs.jsonl", fingerprint="d"),
        model=ModelRecord(name="gpt2", fingerprint="m"),
        objectives={"mine:loss": "o"},
    )
    (run.checkpoints / "checkpoint-2").mkdir(parents=True)
    return run


def test_a_run_goes_on_with_what_it_began_with(folder: RunFolder) -> None:
    check_unchanged(folder, data="d", model="m", objectives={"mine:loss": "o"})
    check_unchanged(folder, data="d", model="m", objectives={"another:loss": "x"})


@pytest.mark.parametrize(
    ("data", "model", "objective", "what", "where"),
    [
        ("x", "m", "o", "data", "pairs.jsonl"),
        ("d", "x", "o", "model", "gpt2"),
        ("d", "m", "x", "objective", "mine:loss"),
    ],
)
def test_a_run_does_not_go_on_with_something_else(
    data: str, model: str, objective: str, what: str, where: str, folder: RunFolder
) -> None:
    with pytest.raises(InputError, match=f"The {what} is not what this run began with") as refused:
        check_unchanged(folder, data=data, model=model, objectives={"mine:loss": objective})
    assert refused.value.where == where


def test_before_the_first_checkpoint_everything_may_change(folder: RunFolder) -> None:
    (folder.checkpoints / "checkpoint-2").rmdir()
    check_unchanged(folder, data="x", model="x", objectives={"mine:loss": "x"})


def test_the_time_of_a_part_is_the_sum_over_its_sessions(folder: RunFolder) -> None:
    folder.update_manifest(timings={"train": 100.0, "prepare": 1.0})
    with timed(folder, "train"):
        pass
    timings = folder.load_manifest().timings
    assert timings["train"] >= 100.0
    assert timings["prepare"] == 1.0


def test_the_time_of_a_part_counts_however_it_ends(folder: RunFolder) -> None:
    def cut_off() -> None:
        time.sleep(0.02)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), timed(folder, "train"):
        cut_off()
    assert folder.load_manifest().timings["train"] >= 0.02


@pytest.mark.parametrize(("drawn", "seen"), [(0, 0), (40, 40), (1609, 1609), (5000, 1609)])
def test_the_examples_that_were_seen_are_at_most_those_there_are(drawn: int, seen: int, folder: RunFolder) -> None:
    folder.update_manifest(data=DataRecord(source="pairs.jsonl", train=1609))
    with pytest.raises(RunError), counted(folder, lambda: drawn):
        raise RunError("It went wrong.")
    data = folder.load_manifest().data
    assert data is not None
    assert (data.seen, data.train) == (seen, 1609)


def test_a_session_that_was_killed_is_timed_by_its_log_and_counted_as_resumed(folder: RunFolder) -> None:
    with recorded_session(folder, "preference"):
        append_metrics(folder.metrics_path, {"step": 4, "loss": 0.5, "seconds": 12.34})
    first = folder.load_manifest()
    assert (first.resumed, len(first.commands)) == (0, 1)
    folder.update_manifest(timings={"prepare": 1.0})  # as a kill leaves it
    with recorded_session(folder, "preference"):
        assert folder.load_manifest().timings == {"prepare": 1.0, "train": 12.34}
    folder.update_manifest(timings={"train": 20.0})
    with recorded_session(folder, "preference"):
        assert folder.load_manifest().timings == {"train": 20.0}
    last = folder.load_manifest()
    assert (last.resumed, len(last.commands)) == (2, 3)
    assert last.created == first.created


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["/usr/bin/tiebreak", "train", "--out", "my run"], "tiebreak train --out 'my run'"),
        (["x.py", "--data", "votes:postgresql://me:secret@host/db"], "x.py --data 'votes:postgresql://me:…@host/db'"),
        (["x.py", "--data", "votes:postgresql://me@host/db"], "x.py --data votes:postgresql://me@host/db"),
        (["x.py", "votes:postgresql://h/db?password=a&host=h"], "x.py 'votes:postgresql://h/db?password=…&host=h'"),
        (["x.py", "--hf-token", "abc", "run"], "x.py --hf-token '…' run"),
        (["x.py", "--hf_token=abc", "API_KEY=k", "TOKEN=t"], "x.py '--hf_token=…' 'API_KEY=…' 'TOKEN=…'"),
        (
            ["tiebreak", "train", "--set", "train.tokens_per_microbatch=2048", "--max-new-tokens", "4"],
            "tiebreak train --set train.tokens_per_microbatch=2048 --max-new-tokens 4",
        ),
        ([], ""),
    ],
)
def test_a_command_line_has_no_password_in_it(words: list[str], line: str) -> None:
    assert command_line(words) == line


def test_versions_are_of_all_that_takes_part(tmp_path: Path) -> None:
    settings = {"model.adapter": "lora", "model.quantize": "nf4", "track": ["tensorboard"]}
    for name, changes in (("plain", {}), ("all", settings)):
        run = RunFolder.create(Recipe().with_settings(changes), tmp_path / name)
        with recorded_session(run, "preference"):
            pass
        versions = run.load_manifest().versions
        found = {"peft", "bitsandbytes", "tensorboard"} & versions.keys()
        installed = {each for each in ("peft", "bitsandbytes", "tensorboard") if find_spec(each) is not None}
        assert found == (installed if changes else set())
        assert {"torch", "transformers", "huggingface_hub", "python", "tiebreak"} <= versions.keys()


def test_the_manifest_refuses_what_it_has_no_field_for(folder: RunFolder) -> None:
    with pytest.raises(ValueError, match="no field trian"):
        folder.update_manifest(trian=1)
    with pytest.raises(ValueError, match="threads"):
        folder.update_manifest(threads="many")


@pytest.mark.parametrize(
    ("error", "says", "fix"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "x"),
            "A file cannot be read or written: No space",
            "free some disk",
        ),
        (OSError(errno.ENOENT, "No such file", "x"), "A file cannot be read or written: No such file", "go on with"),
        (
            ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
            "Reading or writing failed: Conn",
            "go on with",
        ),
        (TimeoutError("the Hub does not answer"), "Reading or writing failed: the Hub does not answer", "go on with"),
    ],
)
def test_an_error_of_input_or_output_is_named_for_what_it_is(
    error: OSError, says: str, fix: str, folder: RunFolder
) -> None:
    with pytest.raises(RunError) as raised, recorded_session(folder, "preference"):
        raise error
    assert raised.value.what.startswith(says)
    assert raised.value.fix is not None
    assert raised.value.fix.startswith(fix)
    assert folder.load_manifest().status == "failed"
    assert ("disk" in raised.value.fix) == (error.errno == errno.ENOSPC)


@pytest.mark.parametrize("task", ["preference", "unpaired", "supervised"])
def test_what_is_learned_from_is_recorded_before_any_data_are_read(task: TaskName, folder: RunFolder) -> None:
    with pytest.raises(InputError), recorded_session(folder, task):
        raise InputError("the data are not there")
    assert folder.load_manifest().task == task
