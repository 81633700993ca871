"""The table of a run's steps: a row for each evaluation, with losses, rewards, accuracies, log-probs and logits.

It is the table that a notebook shows beneath a training with TRL. Knows the rows of metrics.jsonl; what the columns are
and how a value is written stands in `metrics`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tiebreak.formatting import numbers
from tiebreak.metrics import ACCURACY, HELD_OUT, LOSS, is_tied, metric_named, shown_in, written
from tiebreak.runs.metrics_file import number_in
from tiebreak.runs.sheet import Cell, Sheet

STEP, EPOCH, TRAINING_LOSS = "step", "epoch", "training loss"


@dataclass(frozen=True)
class StepsTable:
    """The table.

    Attributes:
        headings: of the columns, the step first.
        rows: values by heading; what was not measured is not there.
        held_out: whether all but the training loss is of held-out examples; else it is of the examples of the steps.
        names: of the metrics, by heading, of those columns that are one.
    """

    headings: tuple[str, ...]
    rows: tuple[Mapping[str, float], ...]
    held_out: bool
    names: Mapping[str, str]

    def sheet(self) -> Sheet:
        """The same with whole numbers, for a file."""
        rows = tuple(tuple(_cell(row.get(heading), heading) for heading in self.headings) for row in self.rows)
        return Sheet(self.headings, rows)

    def written(self, most: int | None = None) -> list[list[str]]:
        """The rows as people read them.

        Args:
            most: rows at most, from the first to the last as evenly as can be; None is all.
        """
        rows = self.rows
        if most is not None and len(rows) > most:
            last = len(rows) - 1
            rows = tuple(rows[round(i * last / (most - 1))] for i in range(most))
        return [[self._written(row, heading) for heading in self.headings] for row in rows]

    def _written(self, row: Mapping[str, float], heading: str) -> str:
        if heading not in self.names:
            forms = {STEP: numbers.whole, EPOCH: numbers.hundredths, TRAINING_LOSS: LOSS.format}
            return forms[heading](row.get(heading))
        metric = metric_named(self.names[heading])
        return written(metric, {self.names[each]: row.get(each) for each in self.names}, exact=True)

    @property
    def note(self) -> str:
        """How to read it."""
        if self.held_out:
            return "The training loss is the mean over the steps since the row before; all else is of held-out data."
        return "Nothing was measured on held-out data: each row is the mean over the steps since the row before."


def steps_table(logged: Sequence[Mapping[str, Any]]) -> StepsTable:
    """The table of a run.

    Args:
        logged: the rows of metrics.jsonl.
    Returns:
        A row for each evaluation; of a run that has none, for each line of its log.
    """
    training = [row for row in logged if LOSS.name in row and number_in(row, "step") is not None]
    evaluations = [row for row in logged if HELD_OUT + LOSS.name in row and number_in(row, "step") is not None]
    held_out = bool(evaluations)
    prefix = HELD_OUT if held_out else ""
    columns = {shown.label: metric for metric, shown in shown_in("steps") if held_out or metric is not LOSS}
    rows: dict[float, dict[str, float]] = {}
    losses, before = _Losses.of(training), 0.0
    for source in sorted(evaluations or training, key=lambda row: number_in(row, "step") or 0.0):
        step = number_in(source, "step")
        assert step is not None
        found = {STEP: step, EPOCH: number_in(source, "epoch"), TRAINING_LOSS: losses.mean(before, step)}
        found |= {label: number_in(source, prefix + metric.name) for label, metric in columns.items()}
        if is_tied(source, prefix):
            found = {label: value for label, value in found.items() if columns.get(label) is not ACCURACY}
        rows[step] = {label: value for label, value in found.items() if value is not None}
        before = step
    known = [label for label in (STEP, EPOCH, TRAINING_LOSS, *columns) if any(label in row for row in rows.values())]
    names = {label: metric.name for label, metric in columns.items() if label in known}
    return StepsTable(tuple(known), tuple(rows.values()), held_out, names)


@dataclass(frozen=True)
class _Losses:
    """The logged losses, each of the steps since the line before.

    Attributes:
        steps: of the lines, rising.
        losses: of each line; None where it has none.
    """

    steps: tuple[float, ...]
    losses: tuple[float | None, ...]

    @classmethod
    def of(cls, training: Sequence[Mapping[str, Any]]) -> _Losses:
        """Of the lines of a log; one that is not after the line before it counts for no step."""
        found: dict[float, float | None] = {}
        last = 0.0
        for row in training:
            step = number_in(row, "step") or 0.0
            if step > last:
                last, found[step] = step, number_in(row, LOSS.name)
        return cls(tuple(found), tuple(found.values()))

    def mean(self, after: float, until: float) -> float | None:
        """The mean loss of the steps after one step and until another; a logged line counts for its steps."""
        total = count = 0.0
        for i in range(bisect_right(self.steps, after), bisect_right(self.steps, until)):
            loss, steps = self.losses[i], self.steps[i] - max(self.steps[i - 1] if i else 0.0, after)
            if loss is not None:
                total, count = total + loss * steps, count + steps
        return total / count if count else None


def _cell(value: float | None, heading: str) -> Cell:
    if value is None or not math.isfinite(value):
        return None
    return int(value) if heading == STEP else value
