"""What is scored, and the two forms in which it goes through a model: a tree batch, or a padded one.

TreeBatch: many sequences as one flat row of tokens in which every shared prefix is stored once. The sequences are put
in lexicographic order; each adds only the tokens past its longest common prefix with the one before. That is a
depth-first walk of their prefix tree, laid out flat, with no padding. Token q may attend to token k exactly when
`k <= q < subtree_end[k]`, that is, when k is an ancestor of q or q itself.

PaddedBatch: one row a sequence, filled up to the longest. Right for every causal model, and slower. Used where a model
cannot take trees, and as the yardstick of the self-check. Both are made in `layout.py`. Knows token ids only; neither
models nor attention.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class ScoredGroup:
    """A prompt and its completions, as token ids: two completions for a pair, one for a demonstration, or more.

    Attributes:
        prompt: ids of the prompt, at least one.
        completions: ids of each completion, at least one each; only these are scored.
        row: index of the group in its data set, for messages and lookups.
        scored: of each completion, which of its ids are scored, at least one; empty where all are.
    """

    prompt: tuple[int, ...]
    completions: tuple[tuple[int, ...], ...]
    row: int = 0
    scored: tuple[tuple[bool, ...], ...] = ()

    @property
    def longest(self) -> int:
        """Tokens of its longest sequence."""
        return len(self.prompt) + max(map(len, self.completions))

    @property
    def tokens(self) -> int:
        """Tokens when the prompt is stored once: an upper bound of what its tree holds."""
        return len(self.prompt) + sum(map(len, self.completions))

    def targets(self, number: int) -> Sequence[int]:
        """Where in a completion its scored tokens stand, in order."""
        marks = self.scored[number] if self.scored else ()
        return [at for at, mark in enumerate(marks) if mark] if marks else range(len(self.completions[number]))


def group_of(
    prompt: Iterable[int],
    completions: Sequence[Iterable[int]],
    row: int = 0,
    scored: Sequence[Sequence[int]] = (),
) -> ScoredGroup:
    """A group from any iterables of ids.

    Args:
        prompt, completions: ids.
        row: index of the group in its data set.
        scored: of each completion, whether each id is scored; nothing, or an empty one, where all are.
    Raises:
        ValueError: the prompt or a completion is empty, so that the first completion's token could not be predicted;
            or nothing of a completion is scored.
    """
    marks = tuple(tuple(map(bool, each)) for each in scored) if any(scored) else ()
    group = ScoredGroup(tuple(prompt), tuple(tuple(completion) for completion in completions), row, marks)
    if not group.prompt or not group.completions or not all(group.completions):
        raise ValueError(f"row {row}: a prompt and every completion need at least one token")
    if any(each and (not any(each) or len(each) != len(group.completions[n])) for n, each in enumerate(marks)):
        raise ValueError(f"row {row}: of every completion at least one token is scored, and each is marked")
    return group


@dataclass(frozen=True)
class RopeLengths:
    """Which lengths of a sequence have the same rotary frequencies, where these depend on it (`rope.py`).

    Attributes:
        bounds: lengths past which the frequencies are others, in tokens, ascending.
        growing: length past which each length has frequencies of its own; None where there is none.
    """

    bounds: tuple[int, ...] = ()
    growing: int | None = None

    def of(self, length: int) -> int:
        """A number that is the same for lengths with the same frequencies: one of these lengths."""
        if self.growing is not None and length > self.growing:
            return length
        return max((bound + 1 for bound in self.bounds if bound < length), default=1)


@dataclass(frozen=True, slots=True)
class Branch:
    """The tokens that one sequence adds to its tree, and the path that leads to them.

    Attributes:
        start, stop: where they lie in the flat row.
        path: the tokens before them, from the root: `(branch, count)` is the first `count` tokens of an earlier branch.
    """

    start: int
    stop: int
    path: tuple[tuple[int, int], ...]

    @property
    def depth(self) -> int:
        """Tokens before it."""
        return sum(count for _, count in self.path)


@dataclass(frozen=True)
class TreeBatch:
    """Sequences that share prefixes, laid out flat.

    Attributes:
        input_ids: token ids, shape (tokens,), int64.
        position: depth of each token in its tree, shape (tokens,), int64.
        subtree_end: index after the last token of the subtree below each token, shape (tokens,), int64.
        branches: the row cut into branches, in order; a branch attends to its path and, causally, to itself.
        keep: indices of the tokens whose next-token distribution is needed, ascending, shape (kept,), int64.
        kept_row: for each scored token, the row of `keep` that predicts it, shape (scored,), int64.
        target: for each scored token, its id, shape (scored,), int64.
        sequence: for each scored token, the number of its sequence, shape (scored,), int64.
        entry: for each scored token, a number below `scored` that is the same where completions begin alike and so
            share the token, shape (scored,), int64.
        last: index of the last token of each sequence, shape (sequences,), int64.
        sequences: how many sequences; they count through the groups in order, and through the completions in each.
        rope_spans: where rotary frequencies depend on lengths, the parts of the row in which they are the same, in
            order: `RopeLengths.of` their sequences, and where the part stops.
    """

    input_ids: Tensor
    position: Tensor
    subtree_end: Tensor
    branches: tuple[Branch, ...]
    keep: Tensor
    kept_row: Tensor
    target: Tensor
    sequence: Tensor
    entry: Tensor
    last: Tensor
    sequences: int
    rope_spans: tuple[tuple[int, int], ...] | None = None

    @property
    def tokens(self) -> int:
        """Tokens that are computed."""
        return int(self.input_ids.numel())

    def to(self, device: torch.device) -> TreeBatch:
        """The same batch with its tensors on a device."""

        def move(tensor: Tensor) -> Tensor:
            return moved(tensor, device)

        return TreeBatch(
            move(self.input_ids),
            move(self.position),
            move(self.subtree_end),
            self.branches,
            move(self.keep),
            move(self.kept_row),
            move(self.target),
            move(self.sequence),
            move(self.entry),
            move(self.last),
            self.sequences,
            self.rope_spans,
        )


@dataclass(frozen=True)
class PaddedBatch:
    """Sequences one a row, padded on the right.

    Attributes:
        input_ids: token ids, shape (sequences, longest), int64; the padding is 0 and masked.
        attention_mask: 1 for tokens, 0 for padding, same shape.
        place: where each scored token stands when the rows are laid end to end, ascending, shape (scored,), int64.
        sequence: for each scored token, the number of its sequence, shape (scored,), int64.
    """

    input_ids: Tensor
    attention_mask: Tensor
    place: Tensor
    sequence: Tensor

    @property
    def sequences(self) -> int:
        """How many sequences."""
        return int(self.input_ids.shape[0])

    @property
    def tokens(self) -> int:
        """Tokens that are computed, padding included."""
        return int(self.input_ids.numel())

    @property
    def targets(self) -> int:
        """How many tokens are scored."""
        return int(self.place.numel())

    def to(self, device: torch.device) -> PaddedBatch:
        """The same batch with its tensors on a device."""
        return PaddedBatch(
            moved(self.input_ids, device),
            moved(self.attention_mask, device),
            moved(self.place, device),
            moved(self.sequence, device),
        )


Batch = TreeBatch | PaddedBatch


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on a device; a GPU fetches it while the CPU goes on."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
