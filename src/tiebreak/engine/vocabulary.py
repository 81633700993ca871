"""From hidden states to the log-probabilities of given next tokens, without all logits in memory at once.

The projection to the vocabulary is the largest matrix of a small model, and the logits of a step are its largest
tensor. Here they live a block of rows at a time; what the backward pass needs of them, the softmax, is kept where it
is small and computed again where it is not. The gradient is written out by hand:

    d logp / d logits = onehot(target) - softmax

so that a row whose targets pull with weights g receives, at each target, the sum of its g less p times the sum of all
g of the row; everywhere else only the latter. At a target that is nearly certain the two nearly cancel, so this one
entry is computed in float32 from the log-probability itself.

Knows tensors only; neither models nor trees.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tiebreak.engine.products import multiply, weight_in

# Bytes of softmax that may be kept for the backward pass, and of logits in one product.
KEPT_BYTES = {"cpu": 512 * 2**20, "cuda": 2 * 2**30}
# Bytes of logits that are normalized at once: they should stay in a processor's cache.
_BLOCK_BYTES = 8 * 2**20


def target_logps(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    row: Tensor,
    target: Tensor,
    *,
    entry: Tensor | None = None,
    arithmetic: torch.dtype | None = None,
    kept_bytes: int | None = None,
    collisions: bool = False,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Log-probabilities of target tokens.

    A second backward pass through the same result is not possible: what is kept is used up.

    Args:
        hidden: what the projection is given, shape (rows, hidden).
        weight: of the projection, shape (vocabulary, hidden).
        bias: of the projection, shape (vocabulary,), or None.
        row: for each target, the row that predicts it, shape (targets,), int64; a row may predict several.
        target: token ids, shape (targets,), int64.
        entry: for each target, a number from 0 to targets - 1 that is the same exactly where row and target are, shape
            (targets,), int64; None is to be found out.
        arithmetic: type of the products; None is that of the weights.
        kept_bytes: most memory of the softmax that is kept for the backward pass; None is `KEPT_BYTES`.
        collisions: find out the third result too.
    Returns:
        Log-probabilities in nats, shape (targets,), float32; the mean logit of each row, shape (rows,), float32,
        without a gradient; and the log-probability that two draws from a row's distribution are the same token, in
        nats, shape (rows,), float32, without a gradient, or None.
    """
    limit = KEPT_BYTES.get(hidden.device.type, KEPT_BYTES["cpu"]) if kept_bytes is None else kept_bytes
    if entry is None:
        entry = torch.unique(row * weight.shape[0] + target, return_inverse=True)[1]
    wide = arithmetic or weight.dtype
    rows_at_once = max(1, limit // (weight.shape[0] * wide.itemsize))
    settings = (wide, rows_at_once, torch.is_grad_enabled(), collisions)
    logp, mean_logit, collision = _TargetLogps.apply(  # type: ignore[no-untyped-call]
        hidden, weight, bias, row, target, entry, settings
    )
    return logp, mean_logit, collision if collisions else None


class _TargetLogps(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        row: Tensor,
        target: Tensor,
        entry: Tensor,
        settings: tuple[torch.dtype, int, bool, bool],
    ) -> tuple[Tensor, Tensor, Tensor]:
        arithmetic, rows_at_once, with_gradient, collisions = settings
        rows = hidden.shape[0]
        keep = with_gradient and any(ctx.needs_input_grad[:3]) and rows <= rows_at_once
        x, w = hidden.to(arithmetic), weight_in(weight, arithmetic)
        small_bias = None if bias is None else bias.to(arithmetic)
        logit = torch.zeros(len(row), device=hidden.device)
        normalizer = torch.empty(rows, device=hidden.device)
        mean_logit = torch.empty(rows, device=hidden.device)
        collision = torch.empty(rows if collisions else 0, device=hidden.device)
        kept = None
        for part in _parts(rows, rows_at_once):
            logits = multiply(x[part], w, small_bias)
            inside, local = _inside(row, part)
            logit = torch.where(inside, logits[local, target].float(), logit)
            if collisions:
                collision[part] = torch.cat([torch.logsumexp(2 * block.float(), -1) for block in _blocks(logits)])
            mean_logit[part], normalizer[part] = _normalized(logits, overwrite=keep)
            kept = logits if keep else None
            del logits  # before the next block is there
        logp = logit - normalizer.index_select(0, row)
        # The weight is saved so that autograd notices when it was changed before the backward pass.
        ctx.save_for_backward(x, weight, bias, row, target, entry, normalizer, logp, kept)
        ctx.w, ctx.rows_at_once, ctx.hidden_type = w, rows_at_once, hidden.dtype
        if collisions:
            collision -= 2 * normalizer
        ctx.mark_non_differentiable(mean_logit, collision)
        return logp, mean_logit, collision

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, row, target, entry, normalizer, logp, softmax = ctx.saved_tensors
        w: Tensor = ctx.w
        wants_hidden, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        small_bias = None if bias is None else bias.to(w.dtype)
        pull = grad.float()
        of_row = torch.zeros(x.shape[0], device=pull.device).index_add_(0, row, pull)
        of_entry = torch.zeros_like(pull).index_add_(0, entry, pull).index_select(0, entry)
        at_target = of_entry - of_row.index_select(0, row) * logp.exp()
        d_hidden = torch.empty(x.shape, device=x.device, dtype=ctx.hidden_type) if wants_hidden else None
        d_weight = d_bias = None
        for part in _parts(x.shape[0], ctx.rows_at_once):
            d_logits = softmax
            if d_logits is None:
                d_logits = multiply(x[part], w, small_bias)
                _exponentials(d_logits, normalizer[part])
            d_logits.mul_(of_row[part, None].neg().to(d_logits.dtype))
            whole = d_logits.shape[0] == x.shape[0]
            inside, local = (slice(None), row) if whole else _inside(row, part)
            d_logits[local[inside], target[inside]] = at_target[inside].to(d_logits.dtype)
            if d_hidden is not None:
                d_hidden[part] = multiply(d_logits, w.t()).to(ctx.hidden_type)
            if wants_weight:
                product = (d_logits.t() @ x[part]).to(weight.dtype)
                d_weight = product if d_weight is None else d_weight.add_(product)
            if wants_bias:
                total = d_logits.sum(0, dtype=torch.float32).to(bias.dtype)
                d_bias = total if d_bias is None else d_bias.add_(total)
            del d_logits
        return d_hidden, d_weight, d_bias, None, None, None, None


def _parts(rows: int, at_once: int) -> Iterator[slice]:
    return (slice(start, min(start + at_once, rows)) for start in range(0, rows, at_once))


def _inside(row: Tensor, part: slice) -> tuple[Tensor, Tensor]:
    """Which rows lie in a part, and where; rows outside lie anywhere."""
    inside = (row >= part.start) & (row < part.stop)
    return inside, (row - part.start).clamp(0, part.stop - part.start - 1)


def _normalized(logits: Tensor, *, overwrite: bool) -> tuple[Tensor, Tensor]:
    """Mean and logsumexp of each row; where asked for, the logits are overwritten by their softmax."""
    means, normalizers = [], []
    for block in _blocks(logits):
        wide = block.float()  # the same tensor where it is float32 already
        means.append(wide.mean(-1))
        normalizers.append(torch.logsumexp(wide, -1))
        if overwrite:
            _exponentials(block, normalizers[-1])
    return torch.cat(means), torch.cat(normalizers)


def _exponentials(logits: Tensor, normalizer: Tensor) -> None:
    """Overwrite logits by their softmax."""
    for block, at in zip(_blocks(logits), _blocks(normalizer, like=logits), strict=True):
        if block.dtype == torch.float32:
            block.sub_(at[:, None]).exp_()
        else:
            block.copy_(block.float().sub_(at[:, None]).exp_())


def _blocks(rows: Tensor, like: Tensor | None = None) -> tuple[Tensor, ...]:
    """Rows, few at a time; `like` says of which logits they are."""
    width = (rows if like is None else like).shape[1]
    return torch.split(rows, max(1, _BLOCK_BYTES // (4 * width)))
