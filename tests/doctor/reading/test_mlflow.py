"""Runs of MLflow in a file store."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiebreak.doctor.log import Curve
from tiebreak.doctor.reading.logs import read_log
from tiebreak.errors import InputError


def make(folder: Path, **metrics: str) -> None:
    for name, text in metrics.items():
        path = folder / "metrics" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "meta.yaml").write_text("run_id: one\n")


def test_a_file_for_each_metric_also_in_folders(tmp_path: Path) -> None:
    make(
        tmp_path,
        loss="1700 0.5 10\n1701 0.25 20\n",
        eval_rewards__accuracies="1701 0.75 20\n",
        epoch="1700 0.5 10\n1701 1.0 20\n",
        speed="1700 3 10\n",
    )
    log = read_log(tmp_path)
    assert (log.kind, log.curve("loss")) == ("run of MLflow", Curve((10, 20), (0.5, 0.25)))
    assert log.curve("eval_rewards/accuracies").values == (0.75,)
    assert (log.epoch_at(20), log.unread) == (1.0, ("speed",))


def test_of_a_step_that_was_logged_twice_the_later_value_counts(tmp_path: Path) -> None:
    make(tmp_path, loss="1700 0.5 10\n1701 0.4 20\n1702 0.25 20\n1703 nan 30\n")
    log = read_log(tmp_path)
    assert log.curve("loss") == Curve((10, 20), (0.5, 0.25))
    assert len(log.curves["loss"]) == 3


def test_an_experiment_of_one_run_is_that_run_and_one_of_two_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "a", loss="1700 0.5 10\n")
    assert read_log(tmp_path).last == 10
    make(tmp_path / "b", loss="1700 0.5 10\n")
    with pytest.raises(InputError, match="2 runs: a, b"):
        read_log(tmp_path)


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    make(tmp_path, loss="1700 0.5 10\n1701 0.2\n")
    with pytest.raises(InputError, match="not a time, a value and a step") as raised:
        read_log(tmp_path)
    assert str(raised.value.where).endswith("loss:2")
