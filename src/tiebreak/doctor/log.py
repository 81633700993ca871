"""The log of a training, whoever made it: a curve for each metric, under the names of `tiebreak.metrics`.

Frozen: what is known of the run as numbers, what is unknown as None. Knows no file; `reading` does.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from tiebreak.doctor.finding import Figure, position
from tiebreak.metrics import HELD_OUT, metric_named

Axis = Literal["step", "epoch", "end"]
"""What a curve runs over; `end` is one row that only says how a run ended."""


@dataclass(frozen=True)
class Curve:
    """One metric over a run; empty where it was not logged.

    Attributes:
        at: where each value was logged, in steps or epochs, rising.
        values: as many; they may be infinite or NaN.
    """

    at: tuple[float, ...] = ()
    values: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def finite(self) -> Curve:
        """The same without values that are not finite."""
        if all(map(math.isfinite, self.values)):
            return self
        kept = [(at, value) for at, value in zip(self.at, self.values, strict=True) if math.isfinite(value)]
        return Curve(tuple(at for at, _ in kept), tuple(value for _, value in kept))

    def between(self, start: float, end: float) -> Curve:
        """The part after `start`, up to `end` and with it."""
        first, last = bisect_right(self.at, start), bisect_right(self.at, end)
        return Curve(self.at[first:last], self.values[first:last])

    @property
    def lowest(self) -> int:
        """Index of the lowest value, the first of several; of a curve that is not empty."""
        return min(range(len(self.values)), key=self.values.__getitem__)


@dataclass(frozen=True)
class TrainingLog:
    """The log of one training.

    Attributes:
        source: the file or folder that it was read from, or what else to call it.
        kind: what that is, in words.
        curves: by metric; those of held-out data begin with `eval_`.
        axis: what they run over.
        epochs: steps with the epoch at each, rising; empty where no epoch is known.
        objective: name of the loss, where the log says it.
        held_out: held-out examples, where the log says how many.
        planned: length of the whole run on the axis, where it is known.
        unread: columns or names that are no metric that is known here.
    """

    source: str
    kind: str
    curves: Mapping[str, Curve]
    axis: Axis = "step"
    epochs: tuple[tuple[float, float], ...] = ()
    objective: str | None = None
    held_out: int | None = None
    planned: float | None = None
    unread: tuple[str, ...] = field(default=())

    def curve(self, name: str) -> Curve:
        """The finite values of a metric; an empty curve where there are none."""
        return self.curves.get(name, _EMPTY).finite

    def evaluated(self, name: str) -> Curve:
        """The finite held-out values of a metric."""
        return self.curve(HELD_OUT + name)

    @cached_property
    def last(self) -> float:
        """Where the log ends, on its axis."""
        return max((curve.at[-1] for curve in self.curves.values() if curve.at), default=0.0)

    @property
    def length(self) -> float:
        """How long the whole run is, as far as is known."""
        return max(self.last, self.planned or 0.0)

    @property
    def said_length(self) -> str:
        """`500 steps`, `3 epochs`, or that only the end is known."""
        if self.axis == "end":
            return "the end of a run"
        return f"{position(self.last, None)[5:]} steps" if self.axis == "step" else f"{self.last:.4g} epochs"

    def epoch_at(self, at: float) -> float | None:
        """The epoch at a place of the axis, between two known ones by proportion; None where it is not known."""
        if self.axis == "epoch":
            return at
        if self.axis == "end" or not self.epochs:
            return None
        index = bisect_left(self.epochs, (at, -math.inf))
        after = self.epochs[min(index, len(self.epochs) - 1)]
        before = self.epochs[index - 1] if index else (0.0, 0.0)
        if index == len(self.epochs) or after[0] == before[0]:
            return after[1] * at / after[0] if after[0] else after[1]
        share = (at - before[0]) / (after[0] - before[0])
        return before[1] + share * (after[1] - before[1])

    def has(self, name: str) -> bool:
        """Whether a metric was logged, or `epoch` is known."""
        if name == "epoch":
            return self.axis == "epoch" or bool(self.epochs)
        return bool(self.curve(name))

    def where(self, at: float) -> str:
        """A place of the axis in words: `step 1,000`; empty at the end of a run of which only that is known."""
        return position(*self._place(at))

    def figure(self, name: str, at: float, value: float) -> Figure:
        """A value of a metric as evidence, in the words that people have for it.

        Args:
            name: of the metric, with `eval_` for held-out ones.
            at: where on the axis.
            value: the number.
        """
        metric = metric_named(name)
        step, epoch = self._place(at)
        return Figure(said(name), value, (metric.exact or metric.format)(value), step, epoch)

    def _place(self, at: float) -> tuple[float | None, float | None]:
        return (at if self.axis == "step" else None), (at if self.axis == "epoch" else None)


_EMPTY = Curve()
_WORDS = {
    "loss": "loss",
    "rewards/accuracies": "accuracy",
    "rewards/margins": "margin",
    "rewards/chosen": "reward of chosen",
    "rewards/rejected": "reward of rejected",
    "logps/chosen": "log-prob of chosen",
    "logps/rejected": "log-prob of rejected",
    "grad_norm": "gradient norm",
    "learning_rate": "learning rate",
}


def said(name: str) -> str:
    """A metric in words: `held-out loss`, `training accuracy`, `gradient norm`."""
    plain = name.removeprefix(HELD_OUT)
    words = _WORDS.get(plain, plain)
    if plain in ("grad_norm", "learning_rate"):
        return words
    return f"{'held-out' if name.startswith(HELD_OUT) else 'training'} {words}"
