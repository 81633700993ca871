"""What a plot has: training beside held-out, thinned to what can be seen."""

from __future__ import annotations

from tiebreak.report.curves import Line, lines_of, plots, series_of


def test_a_metric_alone_is_compared_with_itself_and_several_are_told_apart() -> None:
    lines = {plot.name: lines_of(plot) for plot in plots()}
    assert list(lines) == ["loss", "accuracy", "margin", "rewards", "log-probs", "gradient-norm", "learning-rate"]
    assert lines["loss"] == (Line("loss", "training", "quiet"), Line("eval_loss", "held-out", "accent"))
    assert lines["rewards"] == (
        Line("rewards/chosen", "chosen", "accent"),
        Line("rewards/rejected", "rejected", "quiet"),
        Line("eval_rewards/chosen", "", "accent", dots=True),
        Line("eval_rewards/rejected", "", "quiet", dots=True),
    )
    assert lines["gradient-norm"] == (Line("grad_norm", "", "accent"),)


def test_a_short_run_is_not_thinned() -> None:
    series = series_of([{"step": 2, "loss": 1.0}, {"step": 1, "loss": 3.0}, {"step": 2, "loss": 5.0}], "loss")
    assert (series.steps, series.values) == ((1.0, 2.0), (3.0, 5.0))
    assert not series.is_thinned


def test_an_accuracy_of_ties_is_no_point() -> None:
    rows = [
        {"step": 1, "rewards/accuracies": 0.0, "rewards/margins": 0.0, "eval_rewards/accuracies": 0.5},
        {"step": 2, "rewards/accuracies": 0.75, "rewards/margins": 0.5, "eval_rewards/margins": 0.0},
    ]
    assert series_of(rows, "rewards/accuracies").steps == (2,)
    assert series_of(rows, "rewards/margins").steps == (1, 2)
    assert series_of(rows, "eval_rewards/accuracies").steps == (1,)
