"""Curves of several runs over one another: one plot a metric, a line a run."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from tests.report.made import metric_rows
from tiebreak.report.together import draw_together


def supervised(offset: float) -> list[dict[str, Any]]:
    return [{"step": step, "loss": 2.0 + offset, "eval_loss": 2.5 + offset} for step in (1, 2)]


def test_held_out_values_are_drawn_where_there_are_any_and_the_loss_of_training_too() -> None:
    drawn = draw_together([metric_rows(), metric_rows(100)], ["a", "b"])
    assert [plot.title for plot in drawn] == [
        "Loss, held-out",
        "Loss, training",
        "Accuracy, held-out",
        "Margin, held-out",
        "Rewards, chosen, held-out",
        "Rewards, rejected, held-out",
        "Log-probabilities, chosen, held-out",
        "Log-probabilities, rejected, held-out",
        "Gradient norm, training",
        "Learning rate, training",
    ]
    for plot in drawn:
        assert ElementTree.fromstring(plot.svg).tag.endswith("svg")
        assert not re.search(r"#0102\d\d", plot.svg)
        assert plot.hover is not None
        assert [line.name for line in plot.hover.lines] == ["1 a", "2 b"]
    assert len({plot.name for plot in drawn}) == len(drawn)


def test_a_run_without_the_metric_has_no_line_and_keeps_its_colour() -> None:
    drawn = {plot.title: plot for plot in draw_together([metric_rows(), [], supervised(0.0)], ["a", "b", "c"])}
    loss, margin = drawn["Loss, held-out"].hover, drawn["Margin, held-out"].hover
    assert loss is not None
    assert margin is not None
    assert [line.name for line in loss.lines] == ["1 a", "3 c"]
    assert [line.name for line in margin.lines] == ["1 a"]
    assert "var(--run-3" in drawn["Loss, held-out"].svg
    assert "var(--run-2" not in drawn["Loss, held-out"].svg


def test_eight_runs_are_told_apart_and_more_are_refused() -> None:
    (held_out, training) = draw_together([supervised(i / 10) for i in range(8)], list("abcdefgh"))
    for number in range(1, 9):
        assert f"var(--run-{number}" in training.svg
        assert f">{number}<" in held_out.svg
    assert training.svg.count("stroke-dasharray") >= 4
    with pytest.raises(ValueError, match="9 runs"):
        draw_together([[]] * 9, list("abcdefghi"))


def test_nothing_logged_draws_nothing() -> None:
    assert draw_together([[], [{"step": 1, "loss": math.nan}]], ["a", "b"]) == []
