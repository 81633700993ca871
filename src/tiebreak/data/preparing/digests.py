"""Fingerprints of rows as columns of numbers, so that a hundred thousand texts are compared without holding them.

Knows hashing and sorting; knows nothing of why rows are compared. Digests are 16 bytes, kept as two 64-bit numbers:
shape (rows, 2), dtype uint64.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tiebreak.data.cache import batches
from tiebreak.tasks import Task

if TYPE_CHECKING:
    from datasets import Dataset

Digests = NDArray[np.uint64]


@dataclass(frozen=True)
class PairDigests:
    """What is compared of each pair.

    Attributes:
        prompt: digests of the prompts, shape (rows, 2).
        pair: digests of prompt and completions (and label), shape (rows, 2).
        either_way: digests that do not tell chosen from rejected, or good from bad, shape (rows, 2).
        swapped: on which side of `either_way` the chosen completion stands, or whether the label is bad, shape (rows,).
        equal: whether both completions are the same, shape (rows,).
        chosen_chars, rejected_chars: characters of the completions, shape (rows,). A single completion stands on both
            sides, and is never called equal to itself.
    """

    prompt: Digests
    pair: Digests
    either_way: Digests
    swapped: NDArray[np.bool_]
    equal: NDArray[np.bool_]
    chosen_chars: NDArray[np.int64]
    rejected_chars: NDArray[np.int64]

    @property
    def shorter(self) -> NDArray[np.int64]:
        """Characters of the shorter completion."""
        return np.minimum(self.chosen_chars, self.rejected_chars)

    @property
    def longer(self) -> NDArray[np.int64]:
        """Characters of the longer completion."""
        return np.maximum(self.chosen_chars, self.rejected_chars)


def digest_pairs(dataset: Dataset, task: Task) -> PairDigests:
    """Read every row once, a batch at a time.

    Args:
        dataset: canonical rows; a single completion stands on both sides.
        task: what they are for.
    """
    rows = len(dataset)
    prompt = bytearray(16 * rows)
    pair = bytearray(16 * rows)
    either = bytearray(16 * rows)
    swapped, equal = np.zeros(rows, bool), np.zeros(rows, bool)
    chosen_chars, rejected_chars = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    first, last = task.text_columns[0], task.text_columns[-1]
    columns = ["prompt", first, last, *(["label"] if task.has_label else [])]
    row = 0
    for table in batches(dataset, sorted(set(columns))):
        batch = zip(*(table.column(name).to_pylist() for name in columns), strict=True)
        for turns, chosen, rejected, *label in batch:
            asked = prompt_digest(turns)
            answers = _digest(chosen), _digest(rejected)
            at = slice(16 * row, 16 * row + 16)
            prompt[at] = asked
            pair[at] = _digest(asked, *answers, *("good" if each else "bad" for each in label))
            either[at] = _digest(asked, *sorted(answers))
            swapped[row] = not label[0] if task.has_label else answers[0] > answers[1]
            equal[row] = chosen == rejected and task.pairs
            chosen_chars[row], rejected_chars[row] = len(chosen), len(rejected)
            row += 1
    return PairDigests(_columns(prompt), _columns(pair), _columns(either), swapped, equal, chosen_chars, rejected_chars)


def prompt_digest(turns: list[dict[str, Any]]) -> bytes:
    """The digest of one prompt, 16 bytes."""
    return _digest(*(part for turn in turns for part in (turn["role"], turn["content"])))


def _digest(*parts: str | bytes) -> bytes:
    # Each part is preceded by its length, so that no two lists of parts read the same.
    whole = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode()
        whole.update(len(data).to_bytes(8, "little"))
        whole.update(data)
    return whole.digest()


def _columns(data: bytearray) -> Digests:
    return np.frombuffer(data, dtype="<u8").reshape(-1, 2)


def groups(digests: Digests) -> tuple[NDArray[np.int64], int]:
    """A number for each row, the same for equal digests, counted from 0 in order of first appearance.

    Args:
        digests: shape (rows, 2).
    Returns:
        Numbers of shape (rows,), and how many different ones there are.
    """
    if not len(digests):
        return np.zeros(0, np.int64), 0
    order = np.lexsort((digests[:, 1], digests[:, 0]))
    ordered = digests[order]
    starts: NDArray[np.bool_] = np.ones(len(ordered), bool)
    starts[1:] = (ordered[1:, 0] != ordered[:-1, 0]) | (ordered[1:, 1] != ordered[:-1, 1])
    sorted_number = np.cumsum(starts) - 1
    firsts = order[starts]  # lexsort is stable: the first of each run appears first
    rank = np.empty(len(firsts), np.int64)
    rank[np.argsort(firsts, kind="stable")] = np.arange(len(firsts))
    numbers = np.empty(len(digests), np.int64)
    numbers[order] = rank[sorted_number]
    return numbers, len(firsts)


def repeated(digests: Digests) -> NDArray[np.bool_]:
    """Whether a row's digest stood in an earlier row, shape (rows,)."""
    numbers, count = groups(digests)
    first = np.full(count, len(numbers), np.int64)
    np.minimum.at(first, numbers, np.arange(len(numbers)))
    result: NDArray[np.bool_] = first[numbers] != np.arange(len(numbers))
    return result


def contradicting(digests: PairDigests) -> NDArray[np.bool_]:
    """Whether another row has the same texts the other way round, or with the other label, shape (rows,)."""
    numbers, count = groups(digests.either_way)
    ways = np.zeros((count, 2), bool)
    ways[numbers, digests.swapped.astype(np.int64)] = True
    both = ways[:, 0] & ways[:, 1]
    return both[numbers] & ~digests.equal


def found_in(digests: Digests, others: Digests) -> NDArray[np.bool_]:
    """Whether a row's digest is among the others, shape (rows,)."""
    numbers, count = groups(np.concatenate([others, digests]))
    present = np.zeros(count, bool)
    present[numbers[: len(others)]] = True
    result: NDArray[np.bool_] = present[numbers[len(others) :]]
    return result
