"""Rows of a log to curves: which row stands where, and that they are of one run.

Knows rows of names and values, wherever they came from; what a name means is known to `names`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tiebreak.doctor.log import Axis, Curve, TrainingLog
from tiebreak.doctor.reading.names import EPOCH, STEP
from tiebreak.errors import InputError
from tiebreak.metrics import ACCURACY, HELD_OUT, LIKELIER, LOSS, MARGIN, is_tied, metric_named

_NOTHING = frozenset({"", "no log", "-", "–", "—", "n/a", "na", "none", "null"})
_THOUSANDS = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")


@dataclass(frozen=True)
class LoggedRows:
    """Rows as they were read.

    Attributes:
        rows: values by column.
        names: the metric of each column that is known, or `step` and `epoch`.
        source, kind: as of `TrainingLog`.
        where: what errors call a row, by its index.
        null: what an explicit null means: NaN in a log, which writes no other; None, nothing, in a table.
    """

    rows: Sequence[Mapping[str, Any]]
    names: Mapping[str, str]
    source: str
    kind: str
    where: Callable[[int], str]
    null: float | None = None

    def log(self, *, unread: Sequence[str] = (), planned: float | None = None) -> TrainingLog:
        """The log that they are.

        Raises:
            InputError: there is no metric, no place, a value that is no number, or more than one run.
        """
        columns = {name: column for column, name in self.names.items()}
        metrics = [name for name in columns if name not in (STEP, EPOCH)]
        if not self.rows or not metrics:
            raise self._empty(unread)
        steps = self._values(columns.get(STEP), STEP)
        epochs = self._values(columns.get(EPOCH), EPOCH)
        axis: Axis = "step" if any(at is not None for at in steps) else "epoch"
        at = steps if axis == "step" else epochs
        if all(place is None for place in at):
            if len(self.rows) > 1:
                raise InputError(
                    "The rows say neither a step nor an epoch.",
                    where=self.where(0),
                    fix="add a column 'step' or 'epoch'; of a table with one row a run, leave the row of one run",
                )
            axis, at = "end", [1.0]
        lost = next((index for index, place in enumerate(at) if place is not None and not math.isfinite(place)), None)
        if lost is not None:
            raise InputError(f"The {axis} of the row is not finite.", where=self.where(lost))
        known = tuple(place for place in at if place is not None)
        # Where places only rise, no curve needs a look for more than one run.
        rising = known if len(known) == len(at) and all(a < b for a, b in pairwise(known)) else None
        values = {name: self._values(columns[name], name) for name in metrics}
        curves = {name: self._curve(name, at, values[name], rising) for name in metrics}
        curves = {name: curve for name, curve in curves.items() if curve}
        if not curves:
            raise self._empty(unread)
        return TrainingLog(
            source=self.source,
            kind=self.kind,
            curves=with_shares(without_speed(curves), self.source),
            axis=axis,
            epochs=epochs_of(at, epochs) if axis == "step" else (),
            held_out=examples_of(curves),
            planned=planned if axis == "step" else None,
            unread=tuple(unread),
        )

    def _empty(self, unread: Sequence[str]) -> InputError:
        seen = f" Its columns are: {', '.join(unread[:12])}." if unread else ""
        return InputError(
            f"There is no metric of a training in it.{seen}",
            where=self.source,
            fix="a log has rows with a step or an epoch and a loss, rewards or accuracies: see docs/doctor.md",
        )

    def _values(self, column: str | None, name: str) -> list[float | None]:
        if column is None:
            return [None] * len(self.rows)
        cells = [row.get(column, _NOT_THERE) for row in self.rows]
        if set(map(type, cells)) == {float}:  # the usual case, at once: a log may be long
            return cells
        null = self.null if name not in (STEP, EPOCH) else None
        found: list[float | None] = []
        for index, value in enumerate(cells):
            if value is _NOT_THERE:
                found.append(None)
            elif value is None:
                found.append(null)
            elif type(value) is float:
                found.append(value)
            elif type(value) is int:
                found.append(float(value) if abs(value) < _LARGEST else math.inf)
            else:
                found.append(self._number(value, column, name, index))
        return found

    def _number(self, value: Any, column: str, name: str, index: int) -> float | None:
        text = str(value).strip().replace("−", "-")
        try:
            return float(text)  # `nan` and `inf`, too
        except ValueError:
            pass
        if text.lower() in _NOTHING:
            return None
        share = text.endswith("%")
        text = text.rstrip("% ")
        if _THOUSANDS.fullmatch(text) and name == STEP:
            text = text.replace(",", "")
        elif _DECIMAL_COMMA.fullmatch(text):
            text = text.replace(",", ".")
        try:
            return float(text) / (100 if share else 1)
        except ValueError:
            raise InputError(
                f"'{str(value)[:40]}' in the column '{column}' is no number.",
                where=self.where(index),
                fix="an empty cell is a value that was not logged",
            ) from None

    def _curve(
        self,
        name: str,
        at: Sequence[float | None],
        values: Sequence[float | None],
        rising: tuple[float, ...] | None,
    ) -> Curve:
        logged = tuple(value for value in values if value is not None)
        if rising is not None and len(logged) == len(rising):
            return Curve(rising, logged)
        places: list[float] = []
        kept: list[float] = []
        last = -math.inf
        for index, (place, value) in enumerate(zip(at, values, strict=True)):
            if value is None or place is None:
                continue
            if place > last:
                places.append(place)
                kept.append(value)
                last = place
            elif place < last or (name == LOSS.name and value != kept[-1]):
                raise InputError(
                    f"'{name}' goes from {last:g} back to {place:g}: these are the rows of more than one run.",
                    where=self.where(index),
                    fix="leave the rows of one run",
                )
            # A held-out metric that is measured again at a step is of the best model that was loaded in the end.
        return Curve(tuple(places), tuple(kept))


_NOT_THERE = object()
_LARGEST = 1 << 1000


def with_shares(curves: Mapping[str, Curve], source: str) -> dict[str, Curve]:
    """The curves, with accuracies in shares, and without those values that say nothing since no pair had a margin.

    Raises:
        InputError: an accuracy is neither a share nor a percentage.
    """
    found = dict(curves)
    for name in (before + metric.name for before in ("", HELD_OUT) for metric in (ACCURACY, LIKELIER)):
        curve = found.pop(name, Curve())
        shares = curve.finite.values
        if shares and not 0 <= min(shares) <= max(shares) <= 100:
            raise InputError(f"'{name}' is no share: it has to be between 0 and 1, or in percent.", where=source)
        whole = 100 if shares and max(shares) > 1 else 1
        tied = _tied(found, name)
        kept = [(at, value / whole) for at, value in zip(curve.at, curve.values, strict=True) if at not in tied]
        if kept:
            found[name] = Curve(tuple(at for at, _ in kept), tuple(value for _, value in kept))
    return found


def _tied(curves: Mapping[str, Curve], name: str) -> set[float]:
    """Where an accuracy says nothing."""
    if not name.endswith(ACCURACY.name):
        return set()
    margin = curves.get(name.removesuffix(ACCURACY.name) + MARGIN.name, Curve())
    small = ((at, value) for at, value in zip(margin.at, margin.values, strict=True) if -0.01 < value < 0.01)
    return {at for at, value in small if is_tied({MARGIN.name: value})}


def without_speed(curves: Mapping[str, Curve]) -> dict[str, Curve]:
    """The curves that are metrics of the model."""
    return {name: curve for name, curve in curves.items() if metric_named(name).source != "speed"}


def examples_of(curves: Mapping[str, Curve]) -> int | None:
    """How many held-out examples there are: their speed times the time that they took; None where rows differ."""
    seconds, speed = (curves.get(HELD_OUT + name, Curve()) for name in ("runtime", "samples_per_second"))
    if not seconds or seconds.at != speed.at:
        return None
    # Both are rounded, to four and to three digits behind the point.
    counts = {round(a * b) for a, b in zip(seconds.values, speed.values, strict=True)}
    return counts.pop() if len(counts) == 1 and min(counts) > 0 else None


def epochs_of(at: Sequence[float | None], epochs: Sequence[float | None]) -> tuple[tuple[float, float], ...]:
    """The epoch at each step where it is known and not below the one before."""
    found: list[tuple[float, float]] = []
    for step, epoch in zip(at, epochs, strict=True):
        if step is None or epoch is None or not math.isfinite(epoch):
            continue
        if not found or (step > found[-1][0] and epoch >= found[-1][1]):
            found.append((step, epoch))
    return tuple(found)
