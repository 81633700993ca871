"""The examples that a trainer draws: token ids with weights, and for pairs the reference's log-probs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch.utils.data
from numpy.typing import NDArray

from tiebreak.engine.batch import ScoredGroup, group_of
from tiebreak.engine.score import Scores
from tiebreak.tasks import Task

if TYPE_CHECKING:
    from datasets import Dataset


class _Lists:
    """A column of lists of integers, looked at where it lies: nothing is copied but the row that is asked for."""

    def __init__(self, column: Any) -> None:
        self.starts = [0, *accumulate(len(chunk) for chunk in column.chunks)]
        self.chunks = [(chunk.offsets.to_numpy(), chunk.values.to_numpy()) for chunk in column.chunks]

    def lengths(self) -> NDArray[np.int64]:
        """How long each list is, shape (rows,)."""
        return np.concatenate([np.diff(offsets) for offsets, _ in self.chunks]).astype(np.int64)

    def __getitem__(self, row: int) -> list[int]:
        number = bisect_right(self.starts, row) - 1
        offsets, values = self.chunks[number]
        within = row - self.starts[number]
        ids: list[int] = values[offsets[within] : offsets[within + 1]].tolist()
        return ids


class Groups(Sequence[ScoredGroup]):
    """Tokenized rows as scored groups, read from the memory-mapped file one by one.

    Args:
        dataset: with `prompt_ids` and one column of ids for each completion, and perhaps one of which are scored.
        task: what they are for; it says which completions a row has, and in which order.
    """

    def __init__(self, dataset: Dataset, task: Task) -> None:
        self.dataset = dataset
        self.task = task
        self.columns = tuple(f"{name}_ids" for name in task.completions)
        self.marks = tuple(f"{name}_scored" for name in task.completions if f"{name}_scored" in dataset.column_names)

    def select(self, rows: Iterable[int]) -> Groups:
        """Some of the groups, in the order given."""
        return Groups(self.dataset.select(rows), self.task)

    def __len__(self) -> int:
        return len(self.dataset)

    def __reduce__(self) -> tuple[Any, ...]:
        return Groups, (self.dataset, self.task)  # without what was looked up: it would be copied

    @cached_property
    def _lists(self) -> tuple[_Lists, ...]:
        return tuple(_Lists(self.dataset.data.column(name)) for name in ("prompt_ids", *self.columns, *self.marks))

    @cached_property
    def _positions(self) -> Any:
        """Where each row lies in the table, and its number; shapes (rows,)."""
        indices = self.dataset._indices
        positions = np.arange(len(self)) if indices is None else indices.column(0).to_numpy()
        return positions, self.dataset.data.column("row").to_numpy()[positions]

    def longest(self) -> ScoredGroup:
        """The group with the longest sequence, found from where the lists begin: no row but this one is read."""
        prompt, *completions = (lists.lengths() for lists in self._lists[: 1 + len(self.columns)])
        lengths = prompt + np.maximum.reduce(completions)
        return self[int(lengths[self._positions[0]].argmax())]

    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each group, its prompt once and all its completions, shape (rows,)."""
        tokens = np.add.reduce([lists.lengths() for lists in self._lists[: 1 + len(self.columns)]])
        chosen: NDArray[np.int64] = tokens[self._positions[0]]
        return chosen

    def part_lengths(self) -> dict[str, NDArray[np.int64]]:
        """Tokens of each prompt and of each completion, by name; shape (rows,) each."""
        names = ("prompt", *self.task.completions)
        columns = zip(names, self._lists[: len(names)], strict=True)
        return {name: lists.lengths()[self._positions[0]] for name, lists in columns}

    def largest_id(self) -> int:
        """The largest token id of all rows that lie in the file."""
        parts = [values for lists in self._lists[: 1 + len(self.columns)] for _, values in lists.chunks if len(values)]
        return max((int(values.max()) for values in parts), default=0)

    @overload
    def __getitem__(self, index: int) -> ScoredGroup: ...
    @overload
    def __getitem__(self, index: slice) -> list[ScoredGroup]: ...
    def __getitem__(self, index: int | slice) -> ScoredGroup | list[ScoredGroup]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = range(len(self))[index]  # counts from the end, or is refused
        positions, numbers = self._positions
        prompt, *lists = (lists[int(positions[index])] for lists in self._lists)
        count = len(self.columns)
        return group_of(prompt, lists[:count], int(numbers[index]), lists[count:])


@dataclass(frozen=True, slots=True)
class Example:
    """One group with what the loss needs beside it.

    Attributes:
        group: prompt and completions as token ids.
        weight: how much it counts; 1 is a plain example.
        reference: the reference's log-prob of each completion, in nats; empty where there is none.
        desirable: whether an unpaired completion was found good; True elsewhere.
    """

    group: ScoredGroup
    weight: float
    reference: tuple[float, ...] = ()
    desirable: bool = True


class Examples(torch.utils.data.Dataset[Example]):
    """What the trainer draws from.

    Args:
        groups: the token ids.
        reference: the reference's scores, one row a group; None where there are none.
    """

    def __init__(self, groups: Groups, reference: Scores | None = None) -> None:
        self.groups = groups
        self.reference = reference
        columns = groups.dataset.with_format("numpy")
        self.weights: Any = columns["weight"][:]
        self.labels: Any = columns["label"][:] if groups.task.has_label else None

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, index: int) -> Example:
        reference = () if self.reference is None else tuple(float(x) for x in self.reference.logp[index])
        desirable = True if self.labels is None else bool(self.labels[index])
        return Example(self.groups[index], float(self.weights[index]), reference, desirable)


def collate(examples: list[Example]) -> dict[str, list[Example]]:
    """The examples of a step as they are: batches are laid out later, micro-batch by micro-batch."""
    return {"examples": examples}
