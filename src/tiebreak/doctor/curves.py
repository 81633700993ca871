"""What can be said of a curve in spite of its noise: its level at an end, whether it turned, how much it wavers.

Pure arithmetic over `Curve`; knows no metric and no rule.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from tiebreak.doctor.log import Curve

SHORT = 8
"""A curve with fewer values is taken value by value: there is nothing to average."""


@dataclass(frozen=True)
class Level:
    """The mean of some neighbouring values.

    Attributes:
        at: where the last of them was logged.
        value: their mean.
        error: standard error of the mean, from how neighbours differ; 0 where there are too few to say.
        count: how many there are.
    """

    at: float
    value: float
    error: float
    count: int


@dataclass(frozen=True)
class Turn:
    """A curve that fell and rose again.

    Attributes:
        best_at, best: its lowest value.
        last_at, last: its end: the last value, or the mean of the last three of a long curve.
        clear: the rise is more than its noise and than what a sample of this size can show.
        slight: less clear, and worth a note.
    """

    best_at: float
    best: float
    last_at: float
    last: float
    clear: bool
    slight: bool


def level(curve: Curve) -> Level:
    """The level of a curve that is not empty: the mean of all of it."""
    values, count = curve.values, len(curve)
    noise = waver(values) if count >= SHORT else _spread(values)
    return Level(curve.at[-1], statistics.fmean(values), noise / math.sqrt(count), count)


def beginning(curve: Curve) -> Level:
    """The level of the first tenth, of three values or more; of a short curve its first value."""
    width = _width(curve)
    return level(Curve(curve.at[:width], curve.values[:width]))


def ending(curve: Curve) -> Level:
    """The level of the last tenth, of three values or more; of a short curve its last value."""
    width = _width(curve)
    return level(Curve(curve.at[-width:], curve.values[-width:]))


def waver(values: tuple[float, ...]) -> float:
    """The standard deviation of the noise of a curve, whatever its trend: 0 below three values.

    From the median of the second differences, which a trend, a cliff or a spike hardly changes.
    """
    if len(values) < 3:
        return 0.0
    second = [abs(c - 2 * b + a) for a, b, c in zip(values, values[1:], values[2:], strict=False)]
    return 1.4826 * statistics.median(second) / math.sqrt(6)


def turn(curve: Curve, examples: int | None) -> Turn | None:
    """Whether a held-out loss fell and rose again.

    Each value is a mean over the same examples, so two of them differ by less than two samples would: by about the loss
    divided by the root of their number.

    Args:
        curve: of a held-out loss.
        examples: how many it is measured on, where that is known; where not, the rise has to be twice as large.
    Returns:
        Its turn; None where it ends at its lowest, or has fewer than two values.
    """
    if len(curve) < 2 or curve.lowest == len(curve) - 1:
        return None
    best_at, best = curve.at[curve.lowest], curve.values[curve.lowest]
    long = len(curve) >= SHORT
    tail = curve.values[curve.lowest + 1 :][-3:] if long else curve.values[-1:]
    last = statistics.fmean(tail)
    once = long and len(tail) < 2  # of many evaluations one alone says little
    noise = waver(curve.values) if len(curve) >= 5 else 0.0
    sampled = abs(best) / math.sqrt(examples) if examples else 0.0
    least = abs(best) * (0.05 if examples else 0.1)
    return Turn(
        best_at,
        best,
        curve.at[-1],
        last,
        clear=not once and last - best > max(least, 4 * noise, sampled),
        slight=last - best > max(0.4 * least, 2.5 * noise, 0.5 * sampled),
    )


def _width(curve: Curve) -> int:
    return 1 if len(curve) < SHORT else max(3, len(curve) // 10)


def _spread(values: tuple[float, ...]) -> float:
    """Of few values their plain standard deviation, which a trend makes larger and never smaller."""
    return statistics.stdev(values) if len(values) >= 3 else 0.0
