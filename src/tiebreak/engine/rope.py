"""Rotary frequencies that depend on how long a sequence is: longrope, dynamic NTK.

`transformers` picks them by the longest position of a batch, and dynamic NTK remembers the longest it has seen. So the
log-probs of a row would depend on the rows beside it, and on those before it. Here every sequence gets the frequencies
that it has alone in a fresh model: a rotary embedding is called once for all sequences that have the same frequencies,
from its first state, and only those share a tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tiebreak.engine.batch import Batch, PaddedBatch, RopeLengths
from tiebreak.errors import InputError

Rotated = Tensor | tuple[Tensor, ...]
Rotary = Callable[..., Rotated]


def rope_lengths(model: PreTrainedModel) -> RopeLengths | None:
    """Which lengths of a sequence have the same rotary frequencies in a model; None where all have."""
    config = model.config.get_text_config()
    if not _bounds(config, _kinds_of(config)):
        return None
    modules = _rotary_embeddings(model)
    found = {bound for module in modules for bound in _bounds(module.config, _kinds(module))}
    if not modules:  # code of its own
        found = _bounds(config, _kinds_of(config))
    passed = tuple(sorted(bound for bound, growing in found if not growing))
    growing = min((bound for bound, growing in found if growing), default=None)
    return RopeLengths(passed, growing) if found else None


@contextmanager
def frequencies_of_each(model: PreTrainedModel, batch: Batch) -> Iterator[None]:
    """Within the block, each sequence of a batch gets the rotary frequencies that it has alone in a fresh model.

    Args:
        model: on its device.
        batch: what goes through the model within the block; a tree was built with the model's `rope_lengths`.
    Raises:
        InputError: the model has rotary embeddings of its own code, and a sequence for which that matters.
        ValueError: the tree was built without lengths.
    """
    lengths = rope_lengths(model)
    if lengths is None:
        yield
        return
    if isinstance(batch, PaddedBatch):
        numbers = [lengths.of(int(length)) for length in batch.attention_mask.sum(1).tolist()]
        spread: Callable[..., Rotated] = partial(_by_rows, numbers, batch.attention_mask)
    else:
        if batch.rope_spans is None:
            raise ValueError("the tree was built without the lengths that this model's frequencies depend on")
        numbers = [number for number, _ in batch.rope_spans]
        spread = partial(_by_spans, batch.rope_spans)
    modules = _rotary_embeddings(model)
    if not modules and max(numbers) > 1:
        raise _own_code(model, lengths)
    with ExitStack() as stack:
        for module in modules:
            stack.enter_context(_called_by(module, spread))
        yield


@contextmanager
def _called_by(module: nn.Module, spread: Callable[..., Rotated]) -> Iterator[None]:
    """Within the block, calls of a module go through `spread`."""
    before = vars(module).get("forward")
    module.forward = partial(spread, partial(_alone, module.forward))
    try:
        yield
    finally:
        del module.forward
        if before is not None:
            module.forward = before


def _by_spans(
    spans: tuple[tuple[int, int], ...], alone: Rotary, x: Tensor, position_ids: Tensor, *rest: Any, **given: Any
) -> Rotated:
    """The rotations of a flat row of trees, span by span."""
    starts = [0, *(stop for _, stop in spans)]
    parts = [
        alone(number, x, position_ids[..., start:stop], *rest, **given)
        for start, (number, stop) in zip(starts, spans, strict=False)
    ]
    return _joined(parts, lambda tensors: torch.cat(tensors, dim=-2))


def _by_rows(
    numbers: list[int], mask: Tensor, alone: Rotary, x: Tensor, position_ids: Tensor, *rest: Any, **given: Any
) -> Rotated:
    """The rotations of padded rows, those of equal frequencies together; padding is at position 0."""
    positions = position_ids.expand(*position_ids.shape[:-2], len(numbers), -1) * mask
    kinds = sorted(set(numbers))
    rows = [torch.tensor([i for i, n in enumerate(numbers) if n == kind], device=x.device) for kind in kinds]
    parts = [
        alone(kind, x, positions.index_select(-2, members), *rest, **given)
        for kind, members in zip(kinds, rows, strict=True)
    ]
    back = torch.argsort(torch.cat(rows))
    return _joined(parts, lambda tensors: torch.cat(tensors, dim=-3).index_select(-3, back))


def _alone(rotary: Rotary, number: int, x: Tensor, positions: Tensor, *rest: Any, **given: Any) -> Rotated:
    """The rotations of positions in sequences that are all of the same frequencies, from the first state."""
    last = positions.new_full((*positions.shape[:-1], 1), number - 1)
    first = torch.zeros_like(last)
    rotary(x, first, *rest, **given)  # a short sequence puts dynamic NTK back into its first state
    found = rotary(x, torch.cat([positions, last], dim=-1), *rest, **given)
    rotary(x, first, *rest, **given)
    return _joined([found], lambda tensors: tensors[0][..., :-1, :])


def _joined(parts: list[Rotated], how: Callable[[list[Tensor]], Tensor]) -> Rotated:
    """Cosines and sines each joined; or what there is in their place, where a model has them as one tensor."""
    if isinstance(parts[0], Tensor):
        return how([part for part in parts if isinstance(part, Tensor)])
    return tuple(how(list(tensors)) for tensors in zip(*parts, strict=True))


def _rotary_embeddings(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if hasattr(module, "rope_type") and hasattr(module, "config")]


def _kinds(module: nn.Module) -> dict[str | None, str]:
    """The kind of each type of layers that a rotary embedding is for; None where it is for all."""
    kinds: Any = module.rope_type
    return dict(kinds) if isinstance(kinds, Mapping) else {None: kinds}


def _kinds_of(config: Any) -> dict[str | None, str]:
    """As `_kinds`, by a model's configuration."""
    settings = getattr(config, "rope_parameters", None) or {}
    if "rope_type" in settings:
        return {None: settings["rope_type"]}
    return {name: each["rope_type"] for name, each in settings.items() if isinstance(each, Mapping)}


def _bounds(config: Any, kinds: Mapping[str | None, str]) -> set[tuple[int, bool]]:
    """Lengths past which frequencies, or their scale, are others, and whether each length has its own from there on."""
    found: set[tuple[int, bool]] = set()
    for name, kind in kinds.items():
        whole = getattr(config, "rope_parameters", None) or {}
        settings = whole if name is None else whole.get(name) or {}
        if "dynamic" in kind:
            found.add((int(config.max_position_embeddings), True))
        elif kind == "longrope" or "long_mscale" in settings:
            found.add((int(settings["original_max_position_embeddings"]), False))
    return found


def _own_code(model: PreTrainedModel, lengths: RopeLengths) -> InputError:
    bound = min(bound for bound in (*lengths.bounds, lengths.growing) if bound is not None)
    return InputError(
        f"{type(model).__name__} computes rotary embeddings in its own code; their frequencies change past {bound:,} "
        "tokens, so its log-probs would depend on the rows beside.",
        where="data.max_length",
        fix=f"set it to {bound} or less",
    )
