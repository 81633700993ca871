"""Means of metrics over examples, where a metric need not apply to every one; and the error for what is not finite.

Knows numbers, and neither a model nor a loss.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tiebreak.errors import RunError


class Means:
    """Sums and counts of metrics, added up until they are taken.

    Values stay on their device: nothing waits for it before `take`.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, Tensor] = {}

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Count the metrics of some examples.

        Args:
            values: each of shape (examples,); NaN is where a metric does not apply.
        """
        for name, value in values.items():
            applies = ~value.isnan()
            self._count(name, torch.where(applies, value, 0.0).sum(dtype=torch.float64), applies.sum())

    def add_weighted(self, name: str, values: Tensor, counts: Tensor) -> None:
        """Count one metric whose examples count differently.

        Args:
            name: of the metric.
            values: of each example, its share in the sum, shape (examples,).
            counts: of each example, its share in what the sum is divided by, shape (examples,).
        """
        self._count(name, values.sum(dtype=torch.float64), counts.sum())

    def merge(self, other: Means) -> None:
        """Count what another one has counted."""
        for name, total in other._sums.items():
            self._count(name, total, other._counts[name])

    def _count(self, name: str, total: Tensor, count: Tensor) -> None:
        count = count.double()
        self._sums[name] = self._sums[name] + total if name in self._sums else total
        self._counts[name] = self._counts[name] + count if name in self._counts else count

    def stacked(self) -> tuple[list[str], Tensor]:
        """The names, sorted, and their sums and counts, shape (2, names), float64: what processes add up."""
        names = sorted(self._sums)
        if not names:
            return names, torch.empty(2, 0, dtype=torch.float64)
        return names, torch.stack(
            [torch.stack([self._sums[n] for n in names]), torch.stack([self._counts[n] for n in names])]
        )

    def take(self) -> dict[str, float]:
        """The means so far, without those that applied to nothing; then start anew."""
        names, sums = self.stacked()
        self._sums, self._counts = {}, {}
        return divided(names, sums)


def divided(names: list[str], sums: Tensor) -> dict[str, float]:
    """Means from what `stacked` gave; names that nothing was counted for are dropped."""
    totals, counts = sums.tolist()
    return {name: total / count for name, total, count in zip(names, totals, counts, strict=True) if count}


@dataclass(frozen=True)
class SoFar:
    """What there is of a run that breaks.

    Attributes:
        begun: whether its weights were changed before; if not, no learning rate is to blame.
        saved: whether there is a checkpoint.
    """

    begun: bool = True
    saved: bool = True


def not_finite(what: str, losses: Sequence[float] = (), rows: Sequence[int] = (), so_far: SoFar = SoFar()) -> RunError:
    """The error for a step whose numbers are not all finite.

    Args:
        what: a sentence that says which, and at which step.
        losses: one an example, where they are known.
        rows: the row of the data that each example is; those whose loss is not finite are named.
        so_far: what there is of the run.
    """
    named = [str(row) for row, loss in zip(rows, losses, strict=True) if not math.isfinite(loss)]
    return RunError(
        what,
        where=f"row{'s' if len(named) > 1 else ''} {', '.join(named[:10])} of the training data" if named else None,
        fix=("lower train.learning_rate, or " if so_far.begun else "")
        + "set train.precision=fp32"
        + ("; the last checkpoint is whole" if so_far.saved else ""),
    )
