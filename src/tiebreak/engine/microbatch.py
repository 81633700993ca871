"""Splitting the groups of a step into micro-batches of a bounded number of tokens.

The split decides memory and speed only: losses are summed over micro-batches, so the result is the same for all.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Literal

import torch

from tiebreak.engine.batch import Batch, RopeLengths, ScoredGroup
from tiebreak.engine.flex_attention import runs_here
from tiebreak.engine.layout import build_padded, build_tree, lengthened, round_length

BatchPath = Literal["tree", "padded"]


def build_batch(
    groups: Sequence[ScoredGroup], path: BatchPath, device: torch.device, lengths: RopeLengths | None = None
) -> Batch:
    """The groups as one batch of the given kind, on a device; it may still be on its way there.

    Args:
        groups, path, device, lengths: as for `lay_out`.
    """
    return lay_out(groups, path, device, lengths).to(device)


def lay_out(
    groups: Sequence[ScoredGroup], path: BatchPath, device: torch.device, lengths: RopeLengths | None = None
) -> Batch:
    """The groups as one batch of the given kind, made for a device and still on the CPU.

    Args:
        groups: at least one.
        path: how the batch is laid out.
        device: of the model.
        lengths: `rope_lengths` of the model.
    """
    if path == "padded":
        return build_padded(groups)
    tree = build_tree(groups, lengths=lengths)
    return lengthened(tree, round_length(tree.tokens)) if runs_here(device) else tree


def split(
    groups: Sequence[ScoredGroup], budget: int, path: BatchPath, lengths: RopeLengths | None = None
) -> list[list[int]]:
    """Which groups go together.

    Args:
        groups: the groups of a step.
        budget: tokens a micro-batch may compute; a single group over it goes alone.
        path: how batches are laid out, which decides what a group costs.
        lengths: `rope_lengths` of the model, which decide what is shared.
    Returns:
        Indices into `groups`, each once, every list in ascending order.
    """
    return _split_padded(groups, budget) if path == "padded" else _split_trees(groups, budget, lengths)


def _split_trees(groups: Sequence[ScoredGroup], budget: int, lengths: RopeLengths | None) -> list[list[int]]:
    """Even micro-batches: the largest bundle always goes to the emptiest; equal prompts stay together to be shared."""
    bundles: dict[tuple[int, ...], list[int]] = {}
    for i, group in enumerate(groups):
        bundles.setdefault(group.prompt, []).append(i)
    bounded = _no_larger(groups, list(bundles.values()), budget, lengths)
    costs = [(_tree_cost(groups, bundle, lengths), bundle) for bundle in bounded]
    costs.sort(key=lambda item: (-item[0], item[1]))
    count = max(1, -(-sum(cost for cost, _ in costs) // budget))
    while True:
        filled = _spread(costs, count)
        if count >= len(costs) or all(cost <= budget or single for cost, single, _ in filled):
            return [sorted(members) for _, _, members in filled if members]
        count += 1


def _spread(costs: Sequence[tuple[int, list[int]]], count: int) -> list[tuple[int, bool, list[int]]]:
    heap: list[tuple[int, int]] = [(0, number) for number in range(count)]
    members: list[list[int]] = [[] for _ in range(count)]
    bundles = [0] * count
    for cost, bundle in costs:
        total, number = heapq.heappop(heap)
        members[number].extend(bundle)
        bundles[number] += 1
        heapq.heappush(heap, (total + cost, number))
    totals = {number: total for total, number in heap}
    return [(totals[number], bundles[number] <= 1, members[number]) for number in range(count)]


def _no_larger(
    groups: Sequence[ScoredGroup], bundles: list[list[int]], budget: int, lengths: RopeLengths | None
) -> list[list[int]]:
    """Bundles over the budget in parts that are within it, where a group alone is."""
    parts: list[list[int]] = []
    for bundle in bundles:
        part: list[int] = []
        for i in bundle:
            if part and _tree_cost(groups, [*part, i], lengths) > budget:
                parts.append(part)
                part = []
            part.append(i)
        parts.append(part)
    return parts


def _tree_cost(groups: Sequence[ScoredGroup], bundle: Sequence[int], lengths: RopeLengths | None) -> int:
    """Tokens of groups with one prompt, which stands once for all sequences with the same rotary frequencies."""
    prompt = len(groups[bundle[0]].prompt)
    completions = [len(completion) for i in bundle for completion in groups[i].completions]
    kinds = 1 if lengths is None else len({lengths.of(prompt + completion) for completion in completions})
    return kinds * prompt + sum(completions)


def _split_padded(groups: Sequence[ScoredGroup], budget: int) -> list[list[int]]:
    """Groups of like length together, so that little is padding."""
    order = sorted(range(len(groups)), key=lambda i: (groups[i].longest, i))
    parts: list[list[int]] = []
    rows = 0
    for i in order:
        rows += len(groups[i].completions)
        if not parts or rows * groups[i].longest > budget:
            parts.append([])
            rows = len(groups[i].completions)
        parts[-1].append(i)
    return [sorted(part) for part in parts]
