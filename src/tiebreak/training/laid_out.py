"""The micro-batches of a step before it is made: which examples go together, and their tokens laid out on the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tiebreak.engine.batch import Batch


@dataclass(frozen=True)
class LaidOut:
    """A step as micro-batches.

    Attributes:
        budget: most tokens of each, unless it is a single example.
        indices: of each micro-batch, which examples of the step it has.
        batches: each laid out, on the CPU.
    """

    budget: int
    indices: Sequence[Sequence[int]]
    batches: Sequence[Batch]

    def __iter__(self) -> Iterator[tuple[Sequence[int], Batch]]:
        return iter(zip(self.indices, self.batches, strict=True))
