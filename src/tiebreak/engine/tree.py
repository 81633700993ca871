"""TreeBatch: many sequences as one flat row of tokens in which every shared prefix is stored once.

The sequences are put in lexicographic order; each adds only the tokens past its longest common prefix with the one
before. That is a depth-first walk of their prefix tree, laid out flat, with no padding. Token q may attend to token k
exactly when `k <= q < subtree_end[k]`, that is, when k is an ancestor of q or q itself.

Knows token ids only; neither models nor attention.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tiebreak.engine.memory import moved
from tiebreak.engine.sequences import ScoredGroup


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
        entry: for each scored token, a number below `scored` that is the same where endings begin alike and so share
            the token, shape (scored,), int64.
        sequences: how many sequences; they count through the groups in order, and through the endings in each.
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
    sequences: int

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
            self.sequences,
        )


def build_tree(groups: Sequence[ScoredGroup], *, share: bool = True) -> TreeBatch:
    """Lay groups out as one tree batch.

    Args:
        groups: prompts with their endings, at least one.
        share: store common prefixes once; off, every sequence is a tree of its own (packing).
    Returns:
        The batch; sequences are numbered group by group, ending by ending.
    """
    full = [(group.prompt + ending, len(group.prompt)) for group in groups for ending in group.endings]
    order = sorted(range(len(full)), key=lambda i: full[i][0])

    ids: list[int] = []
    depth: list[int] = []
    end: list[int] = []
    branches: list[Branch] = []
    trail: list[tuple[int, int]] = []  # branches from the root to the last token, and how much of each
    path: list[int] = []  # indices of the tokens from the root to the last one added
    predictors: list[list[int]] = [[] for _ in full]
    scored: list[list[int]] = [[] for _ in full]
    previous: tuple[int, ...] = ()
    for number in order:
        tokens, prompt_length = full[number]
        shared = _common_prefix(previous, tokens) if share else 0
        for closed in path[shared:]:
            end[closed] = len(ids)
        trail = _cut(trail, shared)
        if shared < len(tokens):
            branches.append(Branch(len(ids), len(ids) + len(tokens) - shared, tuple(trail)))
            trail.append((len(branches) - 1, len(tokens) - shared))
        del path[shared:]
        path.extend(range(len(ids), len(ids) + len(tokens) - shared))
        ids.extend(tokens[shared:])
        depth.extend(range(shared, len(tokens)))
        end.extend([0] * (len(tokens) - shared))
        predictors[number] = path[prompt_length - 1 : -1]
        scored[number] = path[prompt_length:]
        previous = tokens
    for closed in path:
        end[closed] = len(ids)

    flat = torch.tensor([p for row in predictors for p in row], dtype=torch.int64)
    keep, kept_row = torch.unique(flat, sorted=True, return_inverse=True)
    return TreeBatch(
        input_ids=torch.tensor(ids, dtype=torch.int64),
        position=torch.tensor(depth, dtype=torch.int64),
        subtree_end=torch.tensor(end, dtype=torch.int64),
        branches=tuple(branches),
        keep=keep,
        kept_row=kept_row,
        target=torch.tensor([t for g in groups for e in g.endings for t in e], dtype=torch.int64),
        sequence=torch.repeat_interleave(
            torch.arange(len(full)), torch.tensor([len(e) for g in groups for e in g.endings])
        ),
        entry=torch.unique(torch.tensor([s for row in scored for s in row], dtype=torch.int64), return_inverse=True)[1],
        sequences=len(full),
    )


def lengthened(batch: TreeBatch, tokens: int) -> TreeBatch:
    """The batch with tokens that nothing looks at, up to a length: compiled kernels are made for few lengths.

    Args:
        batch: on the CPU.
        tokens: the length; not less than the batch has.
    """
    more = tokens - batch.tokens
    if more <= 0:
        return batch
    zeros = torch.zeros(more, dtype=torch.int64)
    return replace(
        batch,
        input_ids=torch.cat([batch.input_ids, zeros]),
        position=torch.cat([batch.position, zeros]),
        subtree_end=torch.cat([batch.subtree_end, torch.full((more,), tokens)]),
        branches=(*batch.branches, Branch(batch.tokens, tokens, ())),
    )


def round_length(tokens: int) -> int:
    """The next of eight lengths to each doubling, in blocks of 128: at most an eighth more."""
    grain = max(128, 1 << max(0, (tokens - 1).bit_length() - 4))
    return int(-(-tokens // grain) * grain)


def _cut(trail: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """The beginning of a trail, so many tokens long."""
    kept = []
    for branch, count in trail:
        if length <= 0:
            break
        kept.append((branch, min(count, length)))
        length -= count
    return kept


def _common_prefix(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    """Length of the longest common prefix, by halving: slices compare in C, tokens do not."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
