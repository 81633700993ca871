"""Logs in JSON: lines, a Trainer's state, lists, and what is cut off or something else."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest

from tests.doctor.made import QUICKSTART
from tiebreak.doctor.examine import examine
from tiebreak.doctor.reading.json_logs import json_log, rows_log
from tiebreak.errors import InputError

PATH = Path("log.json")


def state(*history: dict[str, Any], **more: Any) -> str:
    return json.dumps({"log_history": history, **more}, indent=2)


def test_lines_of_a_run_and_a_last_one_that_was_cut_off() -> None:
    text = QUICKSTART.read_text()
    whole, cut = json_log(text, PATH), json_log(text[:-40], PATH)
    assert (whole.last, len(whole.curve("loss")), len(whole.curve("eval_loss"))) == (291, 34, 4)
    assert len(cut.curve("eval_loss")) == 3
    assert whole.epoch_at(291) == 1.5
    assert "seconds" in whole.unread


def test_a_damaged_line_is_named() -> None:
    with pytest.raises(InputError, match="The line is no JSON") as raised:
        json_log('{"step": 1, "loss": 0.6}\n{"step": 2, "los\n{"step": 3, "loss": 0.5}\n', PATH)
    assert raised.value.where == "log.json:2"
    with pytest.raises(InputError, match="holds no row"):
        json_log('{"step": 1, "loss": 0.6}\n[1, 2]\n', PATH)


def test_numbers_that_are_not_finite_in_any_spelling() -> None:
    log = json_log('{"step": 1, "loss": NaN}\n{"step": 2, "loss": null}\n{"step": 3, "loss": Infinity}\n', PATH)
    assert [math.isfinite(value) for value in log.curves["loss"].values] == [False] * 3


def test_the_state_of_a_trainer() -> None:
    log = json_log(
        state(
            {"loss": 0.69, "grad_norm": 1.0, "learning_rate": 1e-6, "rewards/chosen": 0.0, "epoch": 0.1, "step": 10},
            {"eval_loss": 0.68, "eval_rewards/accuracies": 0.6, "eval_runtime": 2.0, "eval_samples_per_second": 50.0}
            | {"epoch": 0.1, "step": 10},
            {"loss": 0.60, "grad_norm": 1.0, "learning_rate": 5e-7, "rewards/chosen": 0.1, "epoch": 0.2, "step": 20},
            {"train_loss": 0.64, "train_runtime": 12.0, "epoch": 0.2, "step": 20},
            max_steps=100,
            best_metric=None,
        ),
        PATH,
    )
    assert (log.kind, log.planned, log.held_out) == ("state of a Trainer", 100, 100)
    assert log.curve("loss").values == (0.69, 0.60)
    assert "eval_runtime" not in log.curves


def test_the_mean_of_a_run_counts_where_no_loss_was_logged() -> None:
    mean = {"train_loss": 0.676, "train_runtime": 12.0, "epoch": 3.0, "step": 300}
    assert json_log(state(mean), PATH).curve("loss").values == (0.676,)
    log = json_log(state({"eval_loss": 0.7, "epoch": 1.0, "step": 100}, mean), PATH)
    assert (log.curve("loss").at, log.curve("eval_loss").at) == ((100,), (100,))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (state(), "empty"),
        (state({"tokens": 3, "step": 1}), "no metric"),
        ('{"log_history": [1, 2]}', "something else than rows"),
        ('{"log_history": 3}', "no log of a training"),
        ("[1, 2, 3]", "no log of a training"),
        ('{"log_history": [', "no JSON"),
        ('{"a": 1}', "no metric"),
    ],
)
def test_what_is_no_log_is_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        json_log(text, PATH)


def test_a_list_and_rows_in_memory() -> None:
    rows = [{"step": 1, "loss": 0.6}, {"step": 2, "loss": 0.5}]
    assert json_log(json.dumps(rows), PATH).curve("loss") == rows_log(rows, "rows", "rows").curve("loss")


def test_a_hundred_thousand_lines_are_read_and_judged_in_two_seconds(tmp_path: Path) -> None:
    """Of the processor's time: on a machine with other work the clock says little."""
    names = ("logps/chosen", "logps/rejected", "rewards/chosen", "rewards/rejected", "rewards/margins", "grad_norm")
    tail = "".join(f', "{name}": 0.5{index}1234567890123' for index, name in enumerate(names))
    lines = (
        f'{{"step": {n}, "loss": 0.61{n}, "epoch": {n / 50000}{tail}, "seconds": {n}.5}}\n' for n in range(1, 100_001)
    )
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(lines))
    began = time.process_time()
    found = examine(path, objective="sigmoid")
    took = time.process_time() - began
    assert found.facts.log is not None
    assert len(found.facts.log.curve("loss")) == 100_000
    assert took < 2
