"""The token budget: how many tokens a micro-batch may hold, by the memory that is free and what one was seen to take.

A micro-batch takes so much for each of its tokens, and so much whatever its size: copies of the weights in the type of
the arithmetic, the gradient of the largest matrix on its way. To tell the two apart it is measured at two sizes, as the
run's own groups go through the run's own model, forward and backward; so it holds for any architecture, precision and
adapter, with gradient checkpointing or without. Gradients and optimizer state, which the first step makes and the
others keep, are there in every micro-batch but the first: they are reserved, and are in neither measurement.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tiebreak.engine.batch import ScoredGroup
from tiebreak.engine.gradient_checkpointing import recomputing
from tiebreak.engine.logprobs import computing, sequence_logps
from tiebreak.engine.microbatch import build_batch
from tiebreak.engine.rope import rope_lengths
from tiebreak.engine.score import Scorer, does_not_fit
from tiebreak.process.allocated import watching_allocations
from tiebreak.process.fast_linear import keeping_copies
from tiebreak.process.memory import free_bytes, unless_memory_runs_out

# Of the memory that is free, what a run may take: a laptop has other things to do, a GPU has not. The rest of a GPU is
# for what its allocator cannot put to use.
SHARES = {"cpu": 0.5, "cuda": 0.9}
# Past these a larger micro-batch is not faster, only larger.
_ENOUGH = {"cpu": 4096, "cuda": 65536}
_LEAST = 256
# Tokens of the larger measured micro-batch, and how many groups it may take to find them.
_TOKENS, _GROUPS, _LARGE = 512, 64, 2048
# Of them, what the smaller one has.
_SMALLER = 1 / 4


@dataclass(frozen=True)
class Measured:
    """What one micro-batch took.

    Attributes:
        tokens: that it computed.
        kept: bytes that were alive after the forward pass, for the backward pass.
        peak: the most bytes that were alive at once.
    """

    tokens: int
    kept: int
    peak: int


@dataclass(frozen=True)
class TokenBudget:
    """How many tokens a micro-batch holds, and why.

    Attributes:
        tokens: the budget.
        bytes_per_token: what a micro-batch takes more for each token more.
        measured_tokens: size of the larger micro-batch that was measured.
        free_bytes: memory that was free.
        reserved_bytes: of it, for gradients, the optimizer and a live reference that were not there yet.
        fixed_bytes: what a micro-batch takes whatever its size.
        memory_share: of the free memory, what the run may take.
    """

    tokens: int
    bytes_per_token: int
    measured_tokens: int
    free_bytes: int
    reserved_bytes: int
    fixed_bytes: int
    memory_share: float

    def to_json(self) -> dict[str, Any]:
        """As plain values, for the manifest."""
        return asdict(self)


def token_budget(
    model: PreTrainedModel,
    groups: Sequence[ScoredGroup],
    scorer: Scorer,
    *,
    live_reference: bool = False,
    share: float | None = None,
) -> TokenBudget:
    """Find the budget for a run.

    A power of two, so that small changes of the free memory do not change the split of a step.

    Args:
        model: the model, on its device, without gradients; gradients and optimizer state are counted as not yet
            allocated.
        groups: the data of the run.
        scorer: path and arithmetic of the run.
        live_reference: whether a frozen copy of the model will be held beside it.
        share: of the free memory, what the run may take, in (0, 1]; None is that of the kind of device.
    Raises:
        RunError: memory does not suffice for a single group.
    """
    kind = model.device.type
    share = SHARES.get(kind, SHARES["cpu"]) if share is None else share
    free, reserved = free_bytes(model.device), _reserved(model, scorer, live_reference=live_reference)
    sample, large = _measured(model, _sample(groups), scorer)
    less = smaller(sample)
    small = None if less is None else unless_memory_runs_out(lambda: measure(model, less, scorer))
    each, fixed = slope_and_fixed(small, large)
    left = share * free - reserved - fixed
    tokens = largest_budget(left, each, most=_ENOUGH.get(kind, _ENOUGH["cpu"]))
    return TokenBudget(tokens, each, large.tokens, free, reserved, fixed, share)


def largest_budget(left: float, each: int, *, most: int) -> int:
    """The largest power of two of tokens that memory suffices for, within bounds.

    Args:
        left: bytes for what grows with the tokens; may be below zero.
        each: bytes for a token.
        most: no budget is larger.
    """
    budget = most
    while budget > _LEAST and budget * each > left:
        budget //= 2
    return budget


def slope_and_fixed(small: Measured | None, large: Measured) -> tuple[int, int]:
    """Bytes for each token, and bytes whatever the size.

    Small micro-batches may have their peak at the end of the backward pass, where the gradients of the largest matrices
    are and the activations are gone; from there it seems not to grow. What is kept after the forward pass grows evenly;
    so the steeper of the two counts.

    Args:
        small: a smaller micro-batch; None where there is none, and all is taken to grow.
        large: a larger one.
    """
    more = 0 if small is None else large.tokens - small.tokens
    if small is None or more <= 0:
        return max(1, large.peak // large.tokens), 0
    each = max(1, (large.kept - small.kept) // more, (large.peak - small.peak) // more)
    return each, max(0, large.peak - each * large.tokens)


def measure(model: PreTrainedModel, groups: Sequence[ScoredGroup], scorer: Scorer) -> Measured:
    """What one micro-batch takes, forward and backward.

    Args:
        model: on its device, without gradients; it has none afterwards either.
        groups: of the micro-batch.
        scorer: path and arithmetic.
    """
    batch = build_batch(groups, scorer.path, model.device, rope_lengths(model))
    recomputing(model)
    try:
        with keeping_copies(), torch.enable_grad(), watching_allocations(model.device) as allocated:
            scores = sequence_logps(model, batch, autocast=scorer.autocast, measures=scorer.measures)
            kept = allocated.now()
            if not scores.logp.requires_grad:
                raise ValueError("nothing in the model is trained")
            with computing(model, batch), _letting_go_of_gradients(model):
                torch.autograd.backward(scores.logp.sum())
            return Measured(batch.tokens, kept, allocated.peak())
    finally:
        model.train(False)


@contextmanager
def _letting_go_of_gradients(model: PreTrainedModel) -> Iterator[None]:
    """Within the block, the gradient of each weight is freed as soon as it is whole."""

    def let_go(weight: Tensor) -> None:
        weight.grad = None

    trained: list[Any] = [p for p in model.parameters() if p.requires_grad]
    hooks = [weight.register_post_accumulate_grad_hook(let_go) for weight in trained]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _measured(
    model: PreTrainedModel, sample: Sequence[ScoredGroup], scorer: Scorer
) -> tuple[Sequence[ScoredGroup], Measured]:
    """The groups and what they took, or the first half of them where memory does not suffice for all."""
    found = unless_memory_runs_out(lambda: measure(model, sample, scorer))
    if found is not None:
        return sample, found
    if len(sample) == 1:
        raise does_not_fit(sample, training=True)
    return _measured(model, sample[: len(sample) // 2], scorer)


def _reserved(model: PreTrainedModel, scorer: Scorer, *, live_reference: bool) -> int:
    # A gradient, and two moments, which are in float32 at least.
    trained = sum(p.numel() * (p.element_size() + 8) for p in model.parameters() if p.requires_grad)
    whole = sum(p.numel() * p.element_size() for p in model.parameters())
    casts = whole // 2 if scorer.autocast is not None else 0
    return trained + (whole + casts if live_reference else 0)


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


def smaller(sample: Sequence[ScoredGroup]) -> list[ScoredGroup] | None:
    """The first groups of a sample, a quarter of its tokens; of a single one the half; None where it has no half."""
    least = _SMALLER * sum(group.tokens for group in sample)
    part: list[ScoredGroup] = []
    for group in sample[:-1]:
        part.append(group)
        if sum(group.tokens for group in part) >= least:
            return part
    if part:
        return part
    group = sample[0]
    half = ScoredGroup(_half(group.prompt), tuple(_half(completion) for completion in group.completions), group.row)
    return [half] if half.tokens < group.tokens else None


def _half(ids: tuple[int, ...]) -> tuple[int, ...]:
    return ids[: max(1, len(ids) // 2)]
