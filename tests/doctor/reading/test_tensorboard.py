"""Event files, as a run writes them and as others do."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

from tiebreak.doctor.log import Curve
from tiebreak.doctor.reading.logs import read_log
from tiebreak.errors import InputError

pytest.importorskip("tensorboard")


def write(folder: Path, *points: tuple[str, int, float]) -> None:
    event = import_module("tensorboard.compat.proto.event_pb2").Event
    summary = import_module("tensorboard.compat.proto.summary_pb2").Summary
    writer = import_module("tensorboard.summary.writer.event_file_writer").EventFileWriter(str(folder))
    for number, (tag, step, value) in enumerate(points):
        scalar = summary(value=[summary.Value(tag=tag, simple_value=value)])
        writer.add_event(event(wall_time=1000.0 + number, step=step, summary=scalar))
    writer.close()


def test_the_tags_of_a_trainer_with_the_epoch(tmp_path: Path) -> None:
    write(
        tmp_path / "runs" / "now",
        *(("train/loss", 10, 0.5), ("train/epoch", 10, 0.5), ("train/loss", 20, 0.25), ("train/epoch", 20, 1.0)),
        *(("eval/rewards/accuracies", 20, 0.75), ("train/other", 20, 1.0)),
    )
    write(tmp_path / "runs" / "now" / "hparams", ("a", 0, 1.0))
    log = read_log(tmp_path)
    assert (log.kind, log.curve("loss")) == ("TensorBoard", Curve((10, 20), (0.5, 0.25)))
    assert log.curve("eval_rewards/accuracies") == Curve((20,), (0.75,))
    assert (log.epoch_at(15), log.unread) == (0.75, ("train/other",))


def test_a_resumed_run_and_a_single_file(tmp_path: Path) -> None:
    write(tmp_path, ("loss", 10, 0.5), ("loss", 20, 0.4), ("loss", 20, 0.25), ("loss", 30, 0.125))
    (file,) = tmp_path.iterdir()
    for path in (tmp_path, file):
        assert read_log(path).curve("loss") == Curve((10, 20, 30), (0.5, 0.25, 0.125))


def test_event_files_of_two_runs_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a", ("loss", 1, 0.5))
    write(tmp_path / "b", ("loss", 1, 0.5))
    with pytest.raises(InputError, match="2 runs: a, b"):
        read_log(tmp_path)


def test_event_files_without_a_metric_are_refused(tmp_path: Path) -> None:
    write(tmp_path, ("speed", 1, 0.5))
    with pytest.raises(InputError, match="no metric"):
        read_log(tmp_path)


def test_without_tensorboard_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, ("loss", 1, 0.5))
    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing.event_accumulator", None)
    with pytest.raises(InputError, match="library tensorboard") as raised:
        read_log(tmp_path)
    assert "tiebreak[tensorboard]" in str(raised.value.fix)
