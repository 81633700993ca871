"""Before and after in plain words, and the verdict: no figure that is not there, no claim that none carries."""

from __future__ import annotations

import math
from typing import Any

import pytest
from rich.console import Console

from tests.report.made import manifest_of, supervised_manifest
from tiebreak.report.forms import duration, plain, when, wilson
from tiebreak.report.table import result_rows, rich_table
from tiebreak.report.verdict import verdict


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
    rows = rows_of(before={"eval_loss": 0.69, "eval_rewards/accuracies": 0.0})
    assert rows["held-out accuracy"][0] == "–"


def test_a_supervised_run_has_its_loss_and_perplexity() -> None:
    rows = result_rows(supervised_manifest())
    assert [(row.label, row.before, row.after, row.better) for row in rows] == [
        ("held-out loss", "2.3100", "1.8700", "lower"),
        ("held-out perplexity", "10.07", "6.488", "lower"),
    ]


def test_figures_that_were_not_measured_have_no_row() -> None:
    assert rows_of(before=None, after=None, judge=None) == {}
    assert result_rows({}) == []


def test_an_interrupted_run_shows_dashes_for_what_is_to_come() -> None:
    assert rows_of(after=None, judge=None)["held-out loss"] == ("0.6931", "–")


def test_a_figure_that_is_not_finite_says_so() -> None:
    assert rows_of(after={"eval_loss": math.nan})["held-out loss"][1] == "not finite"


def test_a_change_is_better_or_worse_by_its_direction() -> None:
    changes = {row.label: row.change for row in result_rows(manifest_of(after={"eval_loss": 0.9}, judge=None))}
    assert changes["held-out loss"] == "worse"
    assert {row.change for row in result_rows(manifest_of())} == {"better"}


def test_a_win_rate_whose_interval_holds_one_half_is_neither() -> None:
    judge = {"win_rate": {"value": 0.52, "interval": [0.47, 0.57]}}
    row = next(row for row in result_rows(manifest_of(judge=judge)) if row.label.startswith("win rate"))
    assert row.change is None


def test_the_terminal_shows_the_same_rows() -> None:
    console = Console(width=100, record=True, file=None, quiet=False)
    with console.capture() as captured:
        console.print(rich_table(manifest_of()))
    assert "81.2% (77.1–84.8%)" in captured.get()
    assert "judge's pass rate" in captured.get()


@pytest.mark.parametrize(
    ("changes", "tone", "words"),
    [
        ({}, "better", "93.1% (95% interval 90.2–95.2%"),
        ({"judge": {"win_rate": {"value": 0.5, "interval": [0.45, 0.55]}}}, "unclear", "50.0%"),
        ({"judge": {"win_rate": {"value": 0.2, "interval": [0.15, 0.25]}}}, "worse", "20.0%"),
        ({"judge": {"win_rate": {"value": 0.9}}}, "better", "81.2%"),
        ({"judge": None}, "better", "No judge read the model's own answers"),
        ({"judge": None, "after": {"eval_rewards/accuracies": 0.51}}, "unclear", "51.0%"),
        ({"judge": None, "after": {"eval_rewards/accuracies": 0.2}}, "worse", "20.0%"),
        ({"judge": None, "after": None, "before": None}, "unclear", "No held-out pairs were measured"),
        ({"status": "failed", "error": "The loss is not finite."}, "failed", "The loss is not finite."),
        ({"status": "interrupted"}, "unfinished", ""),
    ],
)
def test_the_verdict_claims_what_the_interval_carries(changes: dict[str, Any], tone: str, words: str) -> None:
    said = verdict(manifest_of(**changes))
    assert said.tone == tone
    assert words in said.detail


def test_a_run_is_unfinished_until_its_last_figures_are_recorded() -> None:
    manifest = manifest_of(status="running")
    assert verdict(manifest).tone == "better"
    del manifest["after"]
    assert verdict(manifest).tone == "unfinished"


def test_a_supervised_run_is_judged_by_its_held_out_loss() -> None:
    assert verdict(supervised_manifest()).tone == "better"
    assert verdict(supervised_manifest(after={"eval_loss": 2.4})).tone == "worse"
    assert verdict(supervised_manifest(before=None, after=None, kind="supervised")).tone == "unclear"


def test_the_interval_of_a_share_stays_within_nought_and_one() -> None:
    assert wilson(1.0, 10)[1] == pytest.approx(1.0)
    assert wilson(0.0, 10)[0] == pytest.approx(0.0)
    low, high = wilson(0.8125, 400)
    assert (round(low, 3), round(high, 3)) == (0.771, 0.848)


def test_figures_are_written_for_people() -> None:
    assert [duration(seconds) for seconds in (4.21, 59.6, 200, 7500)] == [
        "4.2 s",
        "1 min 0 s",
        "3 min 20 s",
        "2 h 5 min",
    ]
    assert [plain(value) for value in (1e-6, 0.05, 12.5, 1e20)] == ["1e-6", "0.05", "12.5", "1e20"]
    assert when("2026-03-02T10:15:00+00:00") == "2026-03-02 10:15 UTC"
    assert when("yesterday") == "yesterday"
