"""The examples that a trainer draws: token ids with weights, and for pairs the reference's log-probs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import torch.utils.data

from tiebreak.engine.score import Scores
from tiebreak.engine.sequences import ScoredGroup, group_of

if TYPE_CHECKING:
    from datasets import Dataset


class Groups(Sequence[ScoredGroup]):
    """Tokenized rows as scored groups, read from the disk one by one.

    Args:
        dataset: with `prompt_ids` and one column of ids for each ending.
        endings: names of the endings, in order: `("chosen", "rejected")` or `("completion",)`.
    """

    def __init__(self, dataset: Dataset, endings: tuple[str, ...]) -> None:
        self.dataset = dataset
        self.endings = endings
        self.columns = tuple(f"{name}_ids" for name in endings)

    def select(self, rows: Iterable[int]) -> Groups:
        """Some of the groups, in the order given."""
        return Groups(self.dataset.select(rows), self.endings)

    def __len__(self) -> int:
        return len(self.dataset)

    @overload
    def __getitem__(self, index: int) -> ScoredGroup: ...
    @overload
    def __getitem__(self, index: slice) -> list[ScoredGroup]: ...
    def __getitem__(self, index: int | slice) -> ScoredGroup | list[ScoredGroup]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = self.dataset[index]
        return group_of(row["prompt_ids"], [row[column] for column in self.columns], row["row"])


@dataclass(frozen=True, slots=True)
class Example:
    """One group with what the loss needs beside it.

    Attributes:
        group: prompt and endings as token ids.
        weight: how much it counts; 1 is a plain example.
        reference: the reference's log-prob of each ending, in nats; empty in supervised training.
    """

    group: ScoredGroup
    weight: float
    reference: tuple[float, ...] = ()


class Examples(torch.utils.data.Dataset[Example]):
    """What the trainer draws from.

    Args:
        groups: the token ids.
        reference: the reference's scores, one row a group; None in supervised training.
    """

    def __init__(self, groups: Groups, reference: Scores | None = None) -> None:
        self.groups = groups
        self.reference = reference
        self.weights: Any = groups.dataset.with_format("numpy")["weight"][:]

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, index: int) -> Example:
        reference = () if self.reference is None else tuple(float(x) for x in self.reference.logp[index])
        return Example(self.groups[index], float(self.weights[index]), reference)


def collate(examples: list[Example]) -> dict[str, list[Example]]:
    """The examples of a step as they are: batches are laid out later, micro-batch by micro-batch."""
    return {"examples": examples}
