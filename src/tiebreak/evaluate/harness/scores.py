"""What the harness measured, as plain data; and two models on the same documents, with the error of their difference.

Two models that are asked the same documents differ far more clearly than their own errors suggest, so a difference is
taken document by document. Knows nothing of the harness itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from tiebreak.formatting.numbers import DASH, NOT_FINITE, signed

Aggregate = Callable[[list[Any]], float]

DRAWS = 1_000
_FEWEST = 100
_ALL_IN_ALL = 2_000_000  # documents that are drawn again for one error, about; some seconds


@dataclass(frozen=True)
class Score:
    """A figure and its standard error; None where there is none."""

    value: float
    error: float | None = None


@dataclass(frozen=True)
class TaskScore:
    """One metric of one task, of one model.

    Attributes:
        task, metric: as the harness calls them.
        filter: how answers were cut out of what the model wrote; `none` where they were not.
        shots: examples before each document; None of a group whose tasks differ in it.
        documents: how many were asked.
        higher_is_better: None where the task does not say.
        score: the figure.
        values: what each document gives, by its number; empty of a group.
        aggregate: what makes the figure of those: the mean, or a function whose error comes from documents that are
            drawn again; None is something of which no error is known.
        draws: how often documents are drawn again for an error.
        group: whether it is of several tasks.
        parts: of a group: its tasks.
    """

    task: str
    metric: str
    filter: str
    shots: int | None
    documents: int
    higher_is_better: bool | None
    score: Score
    values: Mapping[int, Any] = field(default_factory=dict, repr=False)
    aggregate: Aggregate | Literal["mean"] | None = field(default=None, repr=False)
    draws: int = DRAWS
    group: bool = False
    parts: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """What the same metric of another model is known by."""
        return self.task, self.metric, self.filter


@dataclass(frozen=True)
class HarnessRow:
    """One metric of one task, of a model and of the one that it is compared with.

    Attributes:
        task, metric, filter, shots, documents, higher_is_better, group: as of `TaskScore`.
        part: whether its task is one of a group that has a figure of its own.
        after: of the model.
        before: of the other; None where there is none.
        difference: after less before, with its error over the documents that both were asked.
    """

    task: str
    metric: str
    filter: str
    shots: int | None
    documents: int
    higher_is_better: bool | None
    group: bool
    part: bool
    after: Score
    before: Score | None = None
    difference: Score | None = None

    @property
    def name(self) -> str:
        """The metric, with the filter where there is one."""
        return self.metric if self.filter == "none" else f"{self.metric} ({self.filter})"


def error_of(
    values: Sequence[Any], aggregate: Aggregate | Literal["mean"] | None = "mean", *, draws: int = DRAWS
) -> float | None:
    """The standard error of a figure over documents.

    Args:
        values: what each document gives.
        aggregate, draws: as of `TaskScore`.
    Returns:
        None where there are fewer than two documents, nothing is known of the error, or it is not finite.
    """
    many = len(values)
    if many < 2 or aggregate is None:
        return None
    again = values if aggregate == "mean" else [aggregate([values[i] for i in each]) for each in _drawn(many, draws)]
    with np.errstate(invalid="ignore"):  # of what is not finite there is no error
        spread = float(np.std(np.asarray(again, dtype=np.float64), ddof=1))
    found = spread / math.sqrt(many) if aggregate == "mean" else spread
    return found if math.isfinite(found) else None


def difference(after: TaskScore, before: TaskScore) -> Score:
    """One model less another on one metric, with the error over their documents, each taken together.

    Args:
        after, before: the same metric, not of a group.
    Returns:
        Without an error where they were not asked the same documents, or none is known of this metric.
    """
    lead = after.score.value - before.score.value
    if after.values.keys() != before.values.keys():
        return Score(lead)
    both = [(after.values[i], before.values[i]) for i in sorted(after.values)]
    aggregate = after.aggregate
    if aggregate is None or aggregate == "mean":
        leads = [float(new) - float(old) for new, old in both] if aggregate else []
        return Score(lead, error_of(leads, aggregate))

    def led(pairs: list[Any]) -> float:
        return aggregate([new for new, _ in pairs]) - aggregate([old for _, old in pairs])

    return Score(lead, error_of(both, led, draws=after.draws))


def rows(
    after: Sequence[TaskScore],
    before: Sequence[TaskScore] | None,
    group_differences: Mapping[tuple[str, str, str], Score] | None = None,
) -> tuple[HarnessRow, ...]:
    """Each metric of a model, beside the same one of another where there is one.

    Args:
        after, before: of the model, and of the other.
        group_differences: of groups, by `TaskScore.key`.
    """
    others = {each.key: each for each in before or ()}
    parts = {part for each in after if each.group for part in each.parts}
    found = []
    for each in after:
        other = others.get(each.key)
        lead = None
        if other is not None:
            lead = (group_differences or {}).get(each.key) if each.group else difference(each, other)
        found.append(
            HarnessRow(
                task=each.task,
                metric=each.metric,
                filter=each.filter,
                shots=each.shots,
                documents=each.documents,
                higher_is_better=each.higher_is_better,
                group=each.group,
                part=each.task in parts,
                after=each.score,
                before=None if other is None else other.score,
                difference=lead,
            )
        )
    return tuple(found)


def written(score: Score | None, *, lead: bool = False) -> str:
    """A figure as `0.5500 ± 0.1141`, its standard error after the sign.

    Args:
        score: None is a dash.
        lead: whether it is a difference, and has a sign.
    """
    if score is None:
        return DASH
    if not math.isfinite(score.value):
        return NOT_FINITE
    value = signed(score.value, 4) if lead else f"{score.value:.4f}"
    return value if score.error is None else f"{value} ± {score.error:.4f}"


def _drawn(many: int, draws: int) -> list[list[int]]:
    """Which documents are drawn, each time; the same for every figure of as many documents."""
    times = max(_FEWEST, min(draws, _ALL_IN_ALL // many))
    drawn: list[list[int]] = np.random.default_rng(0).integers(0, many, size=(times, many)).tolist()
    return drawn
