"""How sure a mean is, where one prompt may count several times: by drawing prompts again, with replacement.

Pairs of one prompt are not independent of each other, so prompts are drawn, never pairs.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

POINTS = (2, 5, 10)
"""Differences of two shares that people ask about, in points."""
DRAWS = 10_000
_FEWEST = 1_000
_ALL_IN_ALL = 2 * 10**8  # numbers drawn for one interval, about; some seconds
_AT_ONCE = 2**22  # numbers drawn at a time: bounds memory
_TWO_SIDED, _POWER = 1.959964, 0.841621  # normal quantiles of 97.5% and 80%
# Standard deviation of a prompt's part in a difference of two shares: a quarter of the prompts changes sides.
_SPREAD = 0.5


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95% interval."""

    value: float
    low: float
    high: float


def mean_over_prompts(values: ArrayLike, prompts: Sequence[Hashable] | None = None, *, seed: int = 0) -> Estimate:
    """The mean with the percentile interval of a bootstrap over prompts.

    Args:
        values: one a row, shape (rows,); at least one.
        prompts: the prompt of each row; None is a prompt of its own for each.
        seed: of the 10,000 draws; of over 20,000 prompts fewer are drawn, and never less than 1,000.
    """
    return means_over_prompts([values], prompts, seed=seed)[0]


def means_over_prompts(
    columns: Sequence[ArrayLike], prompts: Sequence[Hashable] | None = None, *, seed: int = 0
) -> list[Estimate]:
    """As `mean_over_prompts` of each of several columns, with one drawing for all: that is what takes the time.

    Args:
        columns: at least one; each as for `mean_over_prompts`.
        prompts, seed: as there.
    """
    rows = [np.asarray(values, dtype=np.float64) for values in columns]
    number = _numbered(prompts, len(rows[0]))
    sums = [np.bincount(number, weights=each) for each in rows]
    counts = np.bincount(number).astype(np.float64)
    means: list[list[NDArray[np.float64]]] = [[] for _ in rows]
    for drawn in _drawn(len(counts), _draws(len(counts)), seed):
        many = counts[drawn].sum(axis=1)
        for mean, each in zip(means, sums, strict=True):
            mean.append(each[drawn].sum(axis=1) / many)
    intervals = [np.percentile(np.concatenate(mean), [2.5, 97.5]) for mean in means]
    return [
        Estimate(float(each.mean()), float(low), float(high)) for each, (low, high) in zip(rows, intervals, strict=True)
    ]


def prompt_weights(prompts: Sequence[Hashable], *, draws: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each row counts in each draw of the prompts, for what is no mean; a few draws at a time.

    Args:
        prompts: the prompt of each row.
        draws: how many.
        seed: of the draws.
    Returns:
        Blocks of shape (some draws, rows).
    """
    number = _numbered(prompts, len(prompts))
    many = int(number.max()) + 1 if len(number) else 0
    for drawn in _drawn(max(many, 1), draws, seed, width=max(len(prompts), 1)):
        counts = np.stack([np.bincount(one, minlength=many) for one in drawn])
        yield counts[:, number].astype(np.float64)


def _numbered(prompts: Sequence[Hashable] | None, rows: int) -> NDArray[np.int64]:
    """A number for each prompt, by row, in the order in which they come."""
    if prompts is None:
        return np.arange(rows)
    known: dict[Hashable, int] = {}
    return np.asarray([known.setdefault(prompt, len(known)) for prompt in prompts], dtype=np.int64)


def _draws(prompts: int) -> int:
    """Ten thousand, and fewer where so many prompts make the ends of the interval steady with fewer."""
    return max(_FEWEST, min(DRAWS, _ALL_IN_ALL // max(prompts, 1)))


def _drawn(prompts: int, draws: int, seed: int, *, width: int | None = None) -> Iterator[NDArray[np.int64]]:
    random, block = np.random.default_rng(seed), max(1, _AT_ONCE // (width or prompts))
    for start in range(0, draws, block):
        yield random.integers(0, prompts, size=(min(block, draws - start), prompts))


def prompts_needed(difference: float, *, spread: float = _SPREAD) -> int:
    """How many prompts it takes to see a difference of two shares with a chance of 80%, by its 95% interval.

    Args:
        difference: as a share; 0.1 is ten points.
        spread: standard deviation of a prompt's part in it.
    """
    return math.ceil(((_TWO_SIDED + _POWER) * spread / difference) ** 2)
