"""metrics.jsonl survives a kill."""

from __future__ import annotations

import json
from pathlib import Path

from tiebreak.runs.metrics_file import append_metrics, cut_metrics, last_step, read_metrics


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


def test_the_last_step_is_read_from_the_end(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    assert last_step(file) is None
    for step in range(1, 3000):
        append_metrics(file, {"step": step, "loss": 0.5, "rewards/accuracies": 0.75})
    with file.open("a") as opened:
        opened.write('{"step": NaN}\n{"step": true}\n{"loss": 1}\n[1]\n{"step": 3000, "lo')
    assert last_step(file) == 2999
