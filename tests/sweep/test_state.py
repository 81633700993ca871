"""What a search writes for those who look on: at each change, and with what was said of it before."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sweep.made import MadeUp, begun, searched
from tests.sweep.test_drive import by_rate
from tiebreak.doctor.finding import Figure, Finding
from tiebreak.recipe import Recipe
from tiebreak.runs.search import read_search
from tiebreak.sweep import trial as module
from tiebreak.sweep.search import join
from tiebreak.sweep.state import values_text, write_state
from tiebreak.sweep.study import Trial

RATES = {"train.learning_rate": [1e-6, 2e-6, 3e-6]}
FINDING = Finding(
    "a-finding", "warning", "look", (Figure("rate", 1.0, "1"), Figure("loss", 2.0, "2")), "", "", "likely"
)


def test_trials_are_said_in_words_and_findings_stay_until_new_ones_come(tmp_path: Path) -> None:
    plan, folder = begun(tmp_path, searched(RATES, seeds=2))
    finished = Trial(0, {"train.learning_rate": 1e-6}, "finished", (0.61,), ((0.6,), (0.62,)))
    pruned = Trial(1, {"train.learning_rate": 2e-6}, "pruned", reason="behind", reported={1: 0.7, 2: 0.69})
    write_state(plan, folder, [finished, pruned], [FINDING])
    record = read_search(folder.path)
    assert (record.over, record.goals, record.limit, record.best) == (("train.learning_rate",), ("eval_loss",), 3, (0,))
    assert [trial.values for trial in record.trials] == [("0.6100",), ("0.6900",)]
    assert record.trials[0].settings == {"train.learning_rate": "1e-06"}
    assert record.trials[0].runs == ("0000-seed-0", "0000-seed-1")
    assert (record.trials[1].state, record.trials[1].reason) == ("pruned", "behind")
    assert [each.figures for each in record.findings] == ["rate 1; loss 2"]
    write_state(plan, folder, [finished, pruned, Trial(2, {}, "running")])
    again = read_search(folder.path)
    assert again.findings == record.findings
    assert again.trials[2].state == "running"
    write_state(plan, folder, [finished], [])
    assert read_search(folder.path).findings == ()


def test_a_trial_without_a_figure_has_no_values(tmp_path: Path) -> None:
    plan, _ = begun(tmp_path, searched(RATES))
    assert values_text(plan, Trial(0, {}, "waiting")) == ()


def test_whoever_looks_on_sees_each_trial_begin_and_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, folder = begun(tmp_path, searched(RATES))
    made, seen = MadeUp(by_rate), list[tuple[str, ...]]()

    def look(recipe: Recipe, evaluation: int) -> None:
        if evaluation == 1:
            seen.append(tuple(trial.state for trial in read_search(folder.path).trials))

    made.on_step = look
    monkeypatch.setattr(module, "train_among", made)
    join(folder.path)
    assert seen == [
        ("running", "waiting", "waiting"),
        ("finished", "running", "waiting"),
        ("finished", "finished", "running"),
    ]
    record = read_search(folder.path)
    assert record.ended == 3
    assert record.ranked[0] == record.best[0] == 1
