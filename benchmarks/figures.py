"""From what the sides answered to the figures of a comparison."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# How far the losses of two sides may differ, relatively.
AGREES = {"fp32": 1e-4, "bf16": 2e-2}


@dataclass(frozen=True)
class Spread:
    """A median with the lower and the upper quartile."""

    median: float
    low: float
    high: float

    def text(self, digits: int = 2) -> str:
        """As in the tables."""
        return f"{self.median:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles; of one value, that value."""
    if len(values) < 2:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


def pairs_per_second(answers: Sequence[Mapping[str, Any]], batch_size: int) -> float:
    """Pairs of all timed steps over their time; of several rounds, the median."""
    return float(statistics.median(batch_size * len(one["seconds"]) / sum(one["seconds"]) for one in answers))


def ratios(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> Spread:
    """How many times faster: by step, since steps have pairs of other lengths, over all rounds."""
    return spread(
        [
            slow / fast
            for one, other in zip(ours, theirs, strict=True)
            for fast, slow in zip(one["seconds"], other["seconds"], strict=True)
        ]
    )


def peak_bytes(answers: Sequence[Mapping[str, Any]]) -> int:
    """Most memory of any round."""
    return max(int(one["peak_bytes"]) for one in answers)


def operations_per_second(answers: Sequence[Mapping[str, Any]]) -> float:
    """What the mathematics asks for, over the time; of several rounds, the median."""
    return float(statistics.median(sum(one["operations"]) / sum(one["seconds"]) for one in answers))


def of_roofline(answers: Sequence[Mapping[str, Any]], matrix_rate: float, memory_rate: float) -> float:
    """How near the steps came to the best that the machine's rates allow; of several rounds, the median.

    Args:
        answers: with the operations of each step and the bytes that it moves at least.
        matrix_rate: operations a second.
        memory_rate: bytes a second.
    """

    def best(one: Mapping[str, Any]) -> float:
        return math.fsum(
            max(operations / matrix_rate, moved / memory_rate)
            for operations, moved in zip(one["operations"], one["least_bytes"], strict=True)
        )

    return float(statistics.median(best(one) / sum(one["seconds"]) for one in answers))


def loss_difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> float:
    """The largest relative difference of a step's loss; infinite where the token ids differ."""
    if ours["ids"] != theirs["ids"]:
        return float("inf")
    return max(abs(float(a) - float(b)) / abs(float(b)) for a, b in zip(ours["losses"], theirs["losses"], strict=True))
