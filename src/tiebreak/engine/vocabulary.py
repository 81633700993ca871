"""From hidden states to the log-probabilities of given next tokens, without all logits in memory at once.

The projection to the vocabulary is the largest matrix of a small model, and the logits of a step are its largest
tensor. Here they live a block of rows at a time; what the backward pass needs of them, the softmax, is kept where it
is small and computed again where it is not. Gradients are written out by hand:

    d logp / d logits = onehot(target) - softmax        so with c = sum of the incoming gradients of a row
    d hidden = sum of g W[target] - (c softmax) W       and   d W = scatter(g hidden) - (c softmax)^T hidden

Knows tensors only; neither models nor trees.
"""

from __future__ import annotations

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
    arithmetic: torch.dtype | None = None,
    kept_bytes: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Log-probabilities of target tokens.

    Args:
        hidden: what the projection is given, shape (rows, hidden).
        weight: of the projection, shape (vocabulary, hidden).
        bias: of the projection, shape (vocabulary,), or None.
        row: for each target, the row that predicts it, shape (targets,), int64; a row may predict several.
        target: token ids, shape (targets,), int64.
        arithmetic: type of the products; None is that of the weights.
        kept_bytes: most memory of the softmax that is kept for the backward pass; None is `KEPT_BYTES`.
    Returns:
        Log-probabilities in nats, shape (targets,), float32; and the mean logit of each row, shape (rows,), float32,
        without a gradient.
    """
    limit = KEPT_BYTES.get(hidden.device.type, KEPT_BYTES["cpu"]) if kept_bytes is None else kept_bytes
    settings = (arithmetic or weight.dtype, limit)
    found: tuple[Tensor, Tensor] = _TargetLogps.apply(hidden, weight, bias, row, target, *settings)  # type: ignore[no-untyped-call]
    return found


class _TargetLogps(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        row: Tensor,
        target: Tensor,
        arithmetic: torch.dtype,
        limit: int,
    ) -> tuple[Tensor, Tensor]:
        needs_gradient = any(ctx.needs_input_grad[:3])
        rows, vocabulary = hidden.shape[0], weight.shape[0]
        x, w = hidden.to(arithmetic), weight_in(weight, arithmetic)
        step = max(1, limit // (vocabulary * arithmetic.itemsize))
        logp = torch.empty(len(row), device=hidden.device)
        normalizer = torch.empty(rows, device=hidden.device)
        mean_logit = torch.empty(rows, device=hidden.device)
        kept: Tensor | None = None
        for start in range(0, rows, step):
            part = slice(start, min(start + step, rows))
            logits = _logits(x[part], w, bias)
            mean_logit[part], normalizer[part] = _normalized(logits, keep=needs_gradient and rows <= step)
            kept = logits
        if rows > step or not needs_gradient:
            kept = None
        # The logit of a target is one dot product; looking it up in rounded logits would say less.
        at = x.index_select(0, row).float().mul_(w.index_select(0, target)).sum(-1)
        if bias is not None:
            at = at + bias.index_select(0, target).float()
        torch.sub(at, normalizer.index_select(0, row), out=logp)
        ctx.save_for_backward(x, bias, row, target, normalizer, kept)
        ctx.w = w  # not an input: a copy in another type may stand for it
        ctx.step = step
        ctx.types = (hidden.dtype, weight.dtype)
        ctx.mark_non_differentiable(mean_logit)
        return logp, mean_logit

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        x, bias, row, target, normalizer, kept = ctx.saved_tensors
        w: Tensor = ctx.w
        wants_x, wants_w, wants_bias = ctx.needs_input_grad[:3]
        rows = x.shape[0]
        pull = torch.zeros(rows, device=grad.device).index_add_(0, row, grad.float())  # of each row
        d_x = torch.zeros(x.shape, device=grad.device) if wants_x else None
        d_w = d_bias = None
        for start in range(0, rows, ctx.step):
            part = slice(start, min(start + ctx.step, rows))
            softmax = kept
            if softmax is None:
                softmax = _logits(x[part], w, bias)
                _exponentials(softmax, normalizer[part])
            softmax.mul_(pull[part, None].neg().to(softmax.dtype))
            if d_x is not None:
                d_x[part] = multiply(softmax, w.t())
            if wants_w:
                product = softmax.t() @ x[part]
                d_w = product if d_w is None else d_w.add_(product)
            if wants_bias:
                total = softmax.sum(0, dtype=torch.float32)
                d_bias = total if d_bias is None else d_bias.add_(total)
        scaled = grad.float()[:, None]
        if d_x is not None:
            d_x.index_add_(0, row, scaled * w.index_select(0, target).float())
            d_x = d_x.to(ctx.types[0])
        if d_w is not None:
            d_w = d_w.to(ctx.types[1])
            d_w.index_add_(0, target, (scaled * x.index_select(0, row).float()).to(d_w.dtype))
        if d_bias is not None:
            d_bias = d_bias.index_add_(0, target, grad.float()).to(bias.dtype)
        return d_x, d_w, d_bias, None, None, None, None


def _logits(x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
    return multiply(x, w, None if bias is None else bias.to(x.dtype))


def _normalized(logits: Tensor, *, keep: bool) -> tuple[Tensor, Tensor]:
    """Mean and logsumexp of each row; where kept, the logits are overwritten by their softmax."""
    means, normalizers = [], []
    for block in _blocks(logits):
        wide = block.float()  # the same tensor where it is float32 already
        means.append(wide.mean(-1))
        normalizers.append(torch.logsumexp(wide, -1))
        if keep:
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
