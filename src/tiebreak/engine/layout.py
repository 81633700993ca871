"""Laying groups out as a batch: as a tree batch, in which what sequences share stands once, or one sequence a row.

Arrays all the way: on a GPU this work is what the device waits for. Knows token ids only; neither models nor attention.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from tiebreak.engine.batch import Branch, PaddedBatch, RopeLengths, ScoredGroup, TreeBatch

_Ints = NDArray[np.int64]


def build_tree(groups: Sequence[ScoredGroup], *, share: bool = True, lengths: RopeLengths | None = None) -> TreeBatch:
    """Lay groups out as one tree batch.

    Args:
        groups: prompts with their completions, at least one.
        share: store common prefixes once; off, every sequence is a tree of its own (packing).
        lengths: of the model, where its rotary frequencies depend on them: only sequences of equal ones share a tree.
    Returns:
        The batch; sequences are numbered group by group, completion by completion.
    """
    flat, numbers, bounds, starts, places = _sequences(groups)
    kinds = [1 if lengths is None else lengths.of(stop - start) for start, stop in bounds]
    big = flat.astype(">u4")  # the highest byte comes first: as bytes they compare as they do as numbers
    keys = [big[start:stop].tobytes() for start, stop in bounds]
    order = sorted(range(len(bounds)), key=lambda i: (kinds[i], keys[i]))

    ids, depth, end = np.empty(len(flat), np.int64), np.empty(len(flat), np.int64), np.empty(len(flat), np.int64)
    path = np.empty(len(flat), np.int64)  # indices of the tokens from the root to the last one added
    branches: list[Branch] = []
    trail: list[tuple[int, int]] = []  # branches from the root to the last token, and how much of each
    predictors, scored, last = list(places), list(places), np.empty(len(bounds), np.int64)
    previous = flat[:0]
    spans: dict[int, int] = {}  # where the sequences of each kind stop
    done = 0
    for number in order:
        start, until = bounds[number]
        tokens, length = flat[start:until], until - start
        shared = _common_prefix(previous, tokens) if share and kinds[number] in spans else 0
        end[path[shared : len(previous)]] = done
        trail = _cut(trail, shared)
        stop = done + length - shared
        if done < stop:
            branches.append(Branch(done, stop, tuple(trail)))
            trail.append((len(branches) - 1, stop - done))
        ids[done:stop] = tokens[shared:]
        depth[done:stop] = numbers[shared:length]
        path[shared:length] = numbers[done:stop]
        at = places[number] + (starts[number] - start)
        predictors[number], scored[number] = path[at - 1], path[at]
        last[number] = path[length - 1]
        previous, done = tokens, stop
        spans[kinds[number]] = done
    end[path[: len(previous)]] = done

    keep, kept_row = _numbered(np.concatenate(predictors), done)
    return TreeBatch(
        input_ids=torch.from_numpy(ids[:done].copy()),
        position=torch.from_numpy(depth[:done].copy()),
        subtree_end=torch.from_numpy(end[:done].copy()),
        branches=tuple(branches),
        keep=torch.from_numpy(keep),
        kept_row=torch.from_numpy(kept_row),
        target=torch.from_numpy(flat[_whole(starts, places)]),
        sequence=torch.from_numpy(_repeated(places)),
        entry=torch.from_numpy(_numbered(np.concatenate(scored), done)[1]),
        last=torch.from_numpy(last),
        sequences=len(bounds),
        rope_spans=None if lengths is None else tuple(spans.items()),
    )


def build_padded(groups: Sequence[ScoredGroup]) -> PaddedBatch:
    """Lay groups out one sequence a row, group by group, completion by completion."""
    flat, _, bounds, starts, places = _sequences(groups)
    longest = max(stop - start for start, stop in bounds)
    input_ids, attention_mask = np.zeros((len(bounds), longest), np.int64), np.zeros((len(bounds), longest), np.int64)
    for row, (start, stop) in enumerate(bounds):
        input_ids[row, : stop - start] = flat[start:stop]
        attention_mask[row, : stop - start] = 1
    in_rows = [row * longest + starts[row] - start for row, (start, _) in enumerate(bounds)]
    return PaddedBatch(
        torch.from_numpy(input_ids),
        torch.from_numpy(attention_mask),
        torch.from_numpy(_whole(in_rows, places)),
        torch.from_numpy(_repeated(places)),
    )


def _sequences(
    groups: Sequence[ScoredGroup],
) -> tuple[_Ints, _Ints, list[tuple[int, int]], list[int], list[_Ints]]:
    """All sequences of the groups, end to end.

    Returns:
        Their ids; as many numbers from 0 on; where each sequence starts and stops; where its completion starts; and
        where in that its scored tokens stand.
    """
    pieces: list[_Ints] = []
    bounds, starts = [], []
    done = 0
    for group in groups:
        prompt = np.fromiter(group.prompt, np.int64, len(group.prompt))
        for completion in group.completions:
            pieces += prompt, np.fromiter(completion, np.int64, len(completion))
            begin, start = done, done + len(prompt)
            done = start + len(completion)
            starts.append(start)
            bounds.append((begin, done))
    numbers = np.arange(done)
    places = [
        np.flatnonzero(group.scored[i]) if group.scored and group.scored[i] else numbers[: len(completion)]
        for group in groups
        for i, completion in enumerate(group.completions)
    ]
    return np.concatenate(pieces), numbers, bounds, starts, places


def _whole(starts: Sequence[int], places: Sequence[_Ints]) -> _Ints:
    """Places in each completion as places among all, given where each completion starts."""
    whole: _Ints = np.concatenate(places) + np.repeat(starts, [len(at) for at in places])
    return whole


def _repeated(places: Sequence[_Ints]) -> _Ints:
    """For each scored token, the number of its sequence."""
    return np.repeat(np.arange(len(places)), [len(at) for at in places])


def _numbered(values: _Ints, below: int) -> tuple[_Ints, _Ints]:
    """The different values, ascending, and for each value which of them it is; all are below a bound."""
    there = np.zeros(below, np.bool_)
    there[values] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[values]


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
        rope_spans=None if batch.rope_spans is None else (*batch.rope_spans, (1, tokens)),
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


def _common_prefix(a: _Ints, b: _Ints) -> int:
    """Length of the longest common prefix."""
    length = min(len(a), len(b))
    differs = a[:length] != b[:length]
    first = int(differs.argmax()) if length else 0
    return first if length and differs[first] else length
