"""Questions to the list of metrics: which one has a name, what a listing shows, by what the best model can be kept.

Knows the order of a listing; what is in the list stands in `registry`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from tiebreak.errors import InputError
from tiebreak.formatting import numbers
from tiebreak.metrics.metric import HELD_OUT, Listing, Metric, Shown
from tiebreak.metrics.registry import METRICS
from tiebreak.tasks import Task

COORDINATES = ("step", "epoch", "seconds")
"""What else a row of metrics.jsonl has: where and when it was logged."""

_BY_NAME = {metric.name: metric for metric in METRICS}


def metric_named(name: str) -> Metric:
    """A metric by its name, with `eval_` before it or without.

    Raises:
        KeyError: there is none of that name.
    """
    return _BY_NAME[name.removeprefix(HELD_OUT)]


def shown_in(listing: Listing) -> list[tuple[Metric, Shown]]:
    """The metrics of a listing, in its order, each with how it is shown there."""
    found = [(metric, metric.shown[listing]) for metric in METRICS if listing in metric.shown]
    return sorted(found, key=lambda each: each[1].rank)


def keeps_best(task: Task) -> tuple[str, ...]:
    """The held-out metrics by which the best model of a task may be kept, as a run records them."""
    return tuple(
        metric.recorded
        for metric in METRICS
        if metric.of is None and metric.better is not None and metric.held_out is not None and metric.held_out(task)
    )


def best_metric(name: str, task: Task) -> Metric:
    """The metric by which the best model of a task is to be kept.

    Args:
        name: as a recipe has it, `eval_loss`.
        task: what the run learns from.
    Raises:
        InputError: the task measures none of that name.
    """
    names = keeps_best(task)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        raise InputError(
            f"There is no metric '{name}' to keep the best model by.",
            where="train.keep_best",
            fix=f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(names)}",
        )
    return metric_named(name)


LOSS, ACCURACY, MARGIN, LIKELIER, PASS_RATE, WIN_RATE = map(
    metric_named,
    ("loss", "rewards/accuracies", "rewards/margins", "logps/accuracies", "judge.pass_rate", "judge.win_rate"),
)
"""The metrics that code asks for by themselves, so that their names stand here alone."""

_TIE = 1e-6
"""A mean margin as small as this is rounding: policy and reference are the same model still."""


def is_tied(row: Mapping[str, Any], prefix: str = "") -> bool:
    """Whether an accuracy of a row says nothing, since no pair has a margin.

    Args:
        row: metrics by name, as a run logs or records them.
        prefix: before the names, `eval_` for held-out ones.
    """
    margin = row.get(prefix + MARGIN.name)
    return isinstance(margin, int | float) and abs(margin) <= _TIE


def written(metric: Metric, row: Mapping[str, Any], prefix: str = "", *, exact: bool = False) -> str:
    """A metric of a row as people read it: a dash where it is not there, and for an accuracy of ties.

    Args:
        metric: which one.
        row, prefix: as for `is_tied`.
        exact: with more digits, where it has them.
    """
    if metric is ACCURACY and is_tied(row, prefix):
        return numbers.DASH
    form = metric.exact if exact and metric.exact is not None else metric.format
    return form(row.get(prefix + (metric.of or metric.name)))
