"""How much each key that was varied decides of the result, with an interval.

A key's importance is the share of the differences between trials that its value alone explains: of a list by the mean
of each value, of a range by a parabola over the scale that it was drawn on, so that a best value in the middle counts.
It is adjusted for how many numbers the explanation may choose; what chance alone would explain is about zero. The
interval is of trials drawn again with replacement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tiebreak.recipe.space import Choices, Dimension
from tiebreak.sweep.study import Trial

_DRAWS = 400
LEAST = 4
"""Trials with a result below which nothing is said."""

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
Explained = np.ndarray[tuple[int, int], np.dtype[np.float64]]


@dataclass(frozen=True)
class Importance:
    """What a key decides.

    Attributes:
        key: dotted.
        share: of the differences, from 0 to 1.
        low, high: its 95% interval.
    """

    key: str
    share: float
    low: float
    high: float


def importances(space: Mapping[str, Dimension], trials: Sequence[Trial]) -> list[Importance]:
    """The importance of each key, the most important first.

    Args:
        space: what was varied.
        trials: in any state; those with a result count, by their first goal.
    Returns:
        Nothing where fewer than `LEAST` trials have a result, or all have the same.
    Source:
        Adjusted R squared: Ezekiel, Methods of Correlation Analysis, 1930. Bootstrap: Efron, Annals of Statistics 1979.
    """
    found = [trial for trial in trials if trial.values is not None]
    if len(found) < LEAST:
        return []
    values: Floats = np.array([trial.values[0] for trial in found if trial.values is not None], dtype=np.float64)
    if float(np.ptp(values)) == 0:
        return []
    draw = np.random.default_rng(0)
    picks = [draw.integers(len(found), size=len(found)) for _ in range(_DRAWS)]
    measured = []
    for key, dimension in space.items():
        columns = _columns(dimension, [trial.settings[key] for trial in found])
        shares = [share for pick in picks if (share := _share(columns[pick], values[pick])) is not None]
        low, high = np.percentile(shares, [2.5, 97.5]) if shares else (0.0, 1.0)
        measured.append(Importance(key, _share(columns, values) or 0.0, float(low), float(high)))
    return sorted(measured, key=lambda each: -each.share)


def _columns(dimension: Dimension, settings: Sequence[object]) -> Explained:
    """What may explain the results: a column for each value of a list, or the powers of where a number lies."""
    if isinstance(dimension, Choices):
        rows = [[float(setting == value) for value in dimension.values] for setting in settings]
    else:
        at = [dimension.share(float(str(setting))) for setting in settings]
        rows = [[1.0, share, share**2] for share in at]
    return np.array(rows, dtype=np.float64)


def _share(columns: Explained, values: Floats) -> float | None:
    """The adjusted share; None where there is nothing to explain, or as many numbers to choose as trials."""
    total = float(((values - values.mean()) ** 2).sum())
    rank = int(np.linalg.matrix_rank(columns))
    if total == 0 or len(values) <= rank:
        return None
    solution = np.linalg.lstsq(columns, values, rcond=None)[0]
    left = float(((values - columns @ solution) ** 2).sum())
    return min(1.0, max(0.0, 1 - (left / (len(values) - rank)) / (total / (len(values) - 1))))
