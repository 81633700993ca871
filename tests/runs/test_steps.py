"""The table of a run's steps: losses as they were, everything else as it was measured, and nothing made up."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tiebreak.runs.steps import steps_table

TRAINING: list[dict[str, Any]] = [
    {"step": 1, "epoch": 0.1, "loss": 0.7, "rewards/margins": 0.0, "rewards/accuracies": 0.0},
    {"step": 3, "epoch": 0.3, "loss": 0.4, "rewards/margins": 0.5, "rewards/accuracies": 0.75},
    {"step": 4, "epoch": 0.4, "loss": 0.2, "rewards/margins": 0.6, "rewards/accuracies": 1.0},
    {"step": 6, "epoch": 0.6, "loss": 0.1, "rewards/margins": 0.7, "rewards/accuracies": 1.0},
]
HELD_OUT: dict[str, Any] = {
    "eval_loss": 0.6,
    "eval_rewards/chosen": -0.2,
    "eval_rewards/rejected": -0.6,
    "eval_rewards/accuracies": 0.625,
    "eval_rewards/margins": 0.4,
    "eval_logps/chosen": -40.123,
    "eval_logps/rejected": -50.5,
    "eval_logits/chosen": -3.3,
    "eval_logits/rejected": -3.4,
    "eval_runtime": 1.5,
}


def evaluated(step: int, **changes: Any) -> dict[str, Any]:
    return {"step": step, "epoch": step / 10, **HELD_OUT, **changes}


def test_a_row_is_an_evaluation_with_all_that_such_tables_have() -> None:
    table = steps_table([*TRAINING[:3], evaluated(4), TRAINING[3], evaluated(6, eval_loss=0.5)])
    assert table.headings == (
        *("step", "epoch", "training loss", "validation loss", "rewards/chosen", "rewards/rejected"),
        *(
            "rewards/accuracies",
            "rewards/margins",
            "logps/chosen",
            "logps/rejected",
            "logits/chosen",
            "logits/rejected",
        ),
    )
    first, second = table.rows
    assert (first["step"], first["epoch"], first["validation loss"]) == (4, 0.4, 0.6)
    # Each line counts for its steps: one of 0.7, two of 0.4, one of 0.2.
    assert first["training loss"] == pytest.approx((0.7 + 2 * 0.4 + 0.2) / 4)
    assert second["training loss"] == pytest.approx(0.1)
    assert second["validation loss"] == 0.5
    assert table.written()[0][2:] == [
        *("0.4250", "0.6000", "−0.2000", "−0.6000", "62.5%", "+0.4000", "−40.12", "−50.50", "-3.3000", "-3.4000")
    ]
    assert table.sheet().rows[0][:4] == (4, 0.4, first["training loss"], 0.6)


def test_where_nothing_is_held_out_the_lines_of_the_log_are_the_rows() -> None:
    table = steps_table(TRAINING)
    assert table.headings == ("step", "epoch", "training loss", "rewards/accuracies", "rewards/margins")
    assert [row["training loss"] for row in table.rows] == pytest.approx([0.7, 0.4, 0.2, 0.1])
    assert [row[3] for row in table.written()] == ["–", "75.0%", "100.0%", "100.0%"]  # the first is one of ties
    assert "held-out" in table.note


def test_an_accuracy_of_ties_is_no_number_in_a_file_either() -> None:
    table = steps_table([evaluated(2, **{"eval_rewards/accuracies": 0.0, "eval_rewards/margins": 0.0}), evaluated(4)])
    place = table.headings.index("rewards/accuracies")
    assert [row[place] for row in table.sheet().rows] == [None, 0.625]


def test_demonstrations_have_losses_alone() -> None:
    table = steps_table([{"step": 2, "epoch": 1, "loss": 2.0}, {"step": 2, "epoch": 1, "eval_loss": 2.5}])
    assert table.headings == ("step", "epoch", "training loss", "validation loss")
    assert table.written() == [["2", "1.00", "2.0000", "2.5000"]]


def test_a_repeated_step_counts_once_and_broken_rows_not_at_all() -> None:
    broken: list[dict[str, Any]] = [
        {"step": None, "eval_loss": 1.0},
        {"eval_loss": 1.0},
        {"step": 4, "eval_loss": "low"},
    ]
    table = steps_table([*TRAINING[:3], *broken, evaluated(4), evaluated(4, eval_loss=0.3)])
    assert [(row["step"], row["validation loss"]) for row in table.rows] == [(4, 0.3)]


def test_what_is_not_finite_says_so_and_is_an_empty_cell() -> None:
    table = steps_table([evaluated(4, eval_loss=math.inf)])
    place = table.headings.index("validation loss")
    assert (table.written()[0][place], table.sheet().rows[0][place]) == ("not finite", None)


def test_of_many_rows_the_first_and_the_last_are_among_those_shown() -> None:
    table = steps_table([evaluated(step) for step in range(1, 101)])
    shown = [int(row[0]) for row in table.written(12)]
    assert (len(shown), shown[0], shown[-1]) == (12, 1, 100)
    assert shown == sorted(set(shown))
    assert len(table.written()) == 100


def test_nothing_logged_is_an_empty_table() -> None:
    table = steps_table([])
    assert (table.headings, table.rows, table.written(12)) == ((), (), [])


def test_the_mean_loss_of_a_long_log_is_found_in_one_pass() -> None:
    rows: list[dict[str, Any]] = [{"step": step, "loss": 1.0} for step in range(1, 60_001)]
    rows[9]["loss"] = None  # not finite: it counts for no step
    rows.insert(20, {"step": 5, "loss": 9.0})  # of before a resume
    table = steps_table(rows)  # each line is a row of its own: looking at all for each would take minutes
    assert len(table.rows) == 60_000
    assert {row.get("training loss") for row in table.rows} == {1.0, None}
