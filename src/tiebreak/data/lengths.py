"""The shape of many lengths: five numbers, a mean and a histogram.

Knows numbers, and which columns are endings; knows nothing of where the lengths come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
_BINS = 16
_FIVE = (0, 25, 50, 75, 100)
# The columns of lengths that are laid side by side.
_ENDINGS = ("chosen", "rejected", "good", "bad", "completion")


@dataclass(frozen=True)
class Histogram:
    """How many values fall between neighbouring edges; the last bin has everything above as well.

    Attributes:
        edges: lower edges of the bins and the upper edge of the last.
        counts: one fewer than edges.
        open_ended: whether the last bin holds values above its upper edge.
    """

    edges: tuple[int, ...]
    counts: tuple[int, ...]
    open_ended: bool


@dataclass(frozen=True)
class Lengths:
    """Five numbers, the mean and the shape of one column's lengths, in the profile's unit."""

    minimum: float
    lower_quartile: float
    median: float
    upper_quartile: float
    maximum: float
    mean: float
    histogram: Histogram


def lengths_of(columns: Mapping[str, Counts]) -> dict[str, Lengths]:
    """The shape of each column's lengths; none may be empty."""
    # The endings share their bins, so that the two can be laid side by side.
    endings = np.concatenate([columns[name] for name in _ENDINGS if name in columns])
    result = {}
    for name, values in columns.items():
        edges = _edges(endings if name in _ENDINGS else values)
        least, quarter, median, three_quarters, most = (float(each) for each in np.percentile(values, _FIVE))
        mean = float(values.mean())
        result[name] = Lengths(least, quarter, median, three_quarters, most, mean, _histogram(values, edges))
    return result


def _edges(values: Counts) -> Counts:
    """Edges of bins of one round width that hold all but the longest half percent, which the last bin takes in."""
    most = max(1.0, float(np.percentile(values, 99.5)))
    rough = most / _BINS
    step = 10 ** int(np.floor(np.log10(max(1.0, rough))))
    width = next(int(step * factor) for factor in (1, 2, 5, 10) if step * factor >= rough)
    edges: Counts = np.arange(0, int(np.ceil((most + 1) / width)) + 1, dtype=np.int64) * width
    return edges


def _histogram(values: Counts, edges: Counts) -> Histogram:
    last = int(edges[-1])
    counts, _ = np.histogram(np.minimum(values, last - 1), bins=edges)
    return Histogram(
        tuple(int(edge) for edge in edges), tuple(int(count) for count in counts), bool(values.max() >= last)
    )
