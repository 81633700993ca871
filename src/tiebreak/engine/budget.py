"""How many tokens a micro-batch may hold: from the memory that is free and what one small micro-batch was seen to keep.

The memory of a micro-batch is what its forward pass keeps for the backward pass. That is measured by looking at every
tensor that autograd keeps while a few groups of the run's own data go through the run's own model; so it holds for any
architecture, precision and adapter, with gradient checkpointing or without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tiebreak.engine.checkpointing import recomputing
from tiebreak.engine.logprobs import sequence_logps
from tiebreak.engine.memory import does_not_fit, free_bytes, is_out_of_memory
from tiebreak.engine.microbatch import build_batch
from tiebreak.engine.score import Scorer
from tiebreak.engine.sequences import ScoredGroup

# Past these a larger micro-batch is not faster, only larger.
_ENOUGH = {"cpu": 4096, "cuda": 65536}
_LEAST = 256
# Tokens of the measured micro-batch, and how many groups it may take to find them.
_TOKENS, _GROUPS, _LARGE = 512, 64, 2048
# Of the memory that is left, what a micro-batch may keep; the backward pass itself and other programs need some.
_SHARE = 0.6


@dataclass(frozen=True)
class Budget:
    """How many tokens a micro-batch holds, and why.

    Attributes:
        tokens: the budget.
        bytes_per_token: what a token's forward pass keeps for the backward pass, as measured.
        measured_tokens: size of the micro-batch that was measured.
        free_bytes: memory that was free.
        reserved_bytes: of it, for gradients, the optimizer and copies that were not there yet.
    """

    tokens: int
    bytes_per_token: int
    measured_tokens: int
    free_bytes: int
    reserved_bytes: int

    def to_json(self) -> dict[str, Any]:
        """As plain values, for the manifest."""
        return asdict(self)


def token_budget(
    model: PreTrainedModel, groups: Sequence[ScoredGroup], scorer: Scorer, *, live_reference: bool = False
) -> Budget:
    """Find the budget for a run.

    A power of two, so that small changes of the free memory do not change the split of a step.

    Args:
        model: the model, on its device; gradients and optimizer state are counted as not yet allocated.
        groups: the data of the run.
        scorer: path and arithmetic of the run.
        live_reference: whether a frozen copy of the model will be held beside it.
    """
    sample = _sample(groups)
    try:
        kept, measured = kept_bytes(model, sample, scorer)
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise does_not_fit(sample, training=True) from error
        raise
    each = max(1, kept // measured)
    free, reserved = free_bytes(model.device), _reserved(model, scorer, live_reference=live_reference)
    budget = _ENOUGH.get(model.device.type, _ENOUGH["cpu"])
    while budget > _LEAST and budget * each > _SHARE * (free - reserved):
        budget //= 2
    return Budget(budget, each, measured, free, reserved)


def kept_bytes(model: PreTrainedModel, groups: Sequence[ScoredGroup], scorer: Scorer) -> tuple[int, int]:
    """What a forward pass keeps for the backward pass, in bytes, and how many tokens it computed."""
    fixed = {p.untyped_storage().data_ptr() for p in [*model.parameters(), *model.buffers()]}
    seen: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in fixed:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    batch = build_batch(groups, scorer.path, model.device)
    recomputing(model)
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        scores = sequence_logps(model, batch, autocast=scorer.autocast)
    model.train(False)
    if not scores.logp.requires_grad:
        raise ValueError("nothing in the model is trained")
    return sum(seen.values()), batch.tokens


def _reserved(model: PreTrainedModel, scorer: Scorer, *, live_reference: bool) -> int:
    trained = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
    whole = sum(p.numel() * p.element_size() for p in model.parameters())
    copies = whole // 2 if scorer.autocast is not None else 0
    return 3 * trained + copies + (whole if live_reference else 0)  # gradients and two moments


def _sample(groups: Sequence[ScoredGroup]) -> list[ScoredGroup]:
    """The shortest of the first groups, until they have enough tokens."""
    sample: list[ScoredGroup] = []
    for group in sorted((groups[i] for i in range(min(len(groups), _GROUPS))), key=lambda group: group.tokens):
        if sample and group.tokens > _LARGE:  # it says no more, and takes long
            break
        sample.append(group)
        if sum(group.tokens for group in sample) >= _TOKENS:
            break
    return sample
