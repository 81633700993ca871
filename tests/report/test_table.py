"""Before and after in plain words: no metric that is not there."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Console

from tests.report.made import manifest_of, supervised_manifest
from tiebreak.report.table import result_rows, rich_table
from tiebreak.runs.manifest import Manifest


def rows_of(**changes: Any) -> dict[str, tuple[str, str]]:
    return {row.label: (row.before, row.after) for row in result_rows(manifest_of(**changes))}


def test_a_preference_run_has_its_figures_before_and_after() -> None:
    assert rows_of() == {
        "held-out accuracy": ("–", "81.2% (77.1–84.8%)"),
        "held-out margin": ("0.00", "+1.38"),
        "held-out loss": ("0.6931", "0.4312"),
        "chosen answer is the likelier one": ("53.0%", "74.2%"),
        "judge's pass rate": ("31.0% (26.7–35.7%)", "88.4% (84.9–91.2%)"),
        "win rate against the model before": ("–", "93.1% (90.2–95.2%)"),
    }


def test_the_accuracy_before_training_is_never_shown() -> None:
    rows = rows_of(before={"eval_loss": 0.69, "eval_rewards/accuracies": 0.0, "eval_rewards/margins": 0.0})
    assert rows["held-out accuracy"][0] == "–"


def test_a_supervised_run_has_its_loss_and_perplexity() -> None:
    rows = result_rows(supervised_manifest())
    assert [(row.label, row.before, row.after, row.better) for row in rows] == [
        ("held-out loss", "2.3100", "1.8700", "lower"),
        ("held-out perplexity", "10.07", "6.488", "lower"),
    ]


def test_figures_that_were_not_measured_have_no_row() -> None:
    assert rows_of(before=None, after=None, judge=None) == {}
    assert result_rows(Manifest()) == []


def test_an_interrupted_run_shows_dashes_for_what_is_to_come() -> None:
    assert rows_of(after=None, judge=None)["held-out loss"] == ("0.6931", "–")


def test_a_figure_that_is_not_finite_says_so() -> None:
    assert rows_of(after={"eval_loss": math.nan})["held-out loss"][1] == "not finite"


def test_a_change_is_better_or_worse_by_its_direction() -> None:
    changes = {row.label: row.change for row in result_rows(manifest_of(after={"eval_loss": 0.9}, judge=None))}
    assert changes["held-out loss"] == "worse"
    assert {row.change for row in result_rows(manifest_of())} == {"better"}


def test_an_unpaired_run_has_its_loss_and_the_rewards_of_both_kinds() -> None:
    after = {"eval_loss": 0.4, "eval_rewards/margins": 0.3, "eval_rewards/chosen": 0.2, "eval_rewards/rejected": -0.1}
    rows = result_rows(manifest_of(task="unpaired", before=None, after=after, judge=None))
    assert [(row.label, row.after, row.better) for row in rows] == [
        ("held-out loss", "0.4000", "lower"),
        ("held-out margin", "+0.30", "higher"),
        ("reward of good answers", "+0.20", "higher"),
        ("reward of bad answers", "−0.10", "lower"),
    ]


def test_a_win_rate_whose_interval_holds_one_half_is_neither() -> None:
    judge = {"name": "bundled", "win_rate": {"value": 0.52, "interval": [0.47, 0.57]}}
    row = next(row for row in result_rows(manifest_of(judge=judge)) if row.label.startswith("win rate"))
    assert row.change is None


def test_the_terminal_shows_the_same_rows() -> None:
    console = Console(width=100, record=True, file=None, quiet=False)
    with console.capture() as captured:
        console.print(rich_table(manifest_of()))
    assert "81.2% (77.1–84.8%)" in captured.get()
    assert "judge's pass rate" in captured.get()
