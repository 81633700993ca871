"""The LM head apart from its model: from hidden states to log-probs of given tokens, without all logits at once.

The projection to the vocabulary is the largest matrix of a small model, and the logits of a step are its largest
tensor. Here they live a block of rows at a time; what the backward pass needs of them, the softmax, is kept where it
is small and computed again where it is not. The gradient is written out by hand:

    d logp / d logits = onehot(target) - softmax

so that a row whose targets pull with weights g receives, at each target, the sum of its g less p times the sum of all
g of the row; everywhere else only the latter. At a target that is nearly certain the two nearly cancel, so this one
entry is computed in float32 from the log-probability itself.

Knows heads and tensors; neither trees nor attention.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from transformers import PreTrainedModel

from tiebreak.process.fast_linear import multiply, weight_in

# Bytes of softmax that may be kept for the backward pass.
KEPT_BYTES = {"cpu": 512 * 2**20, "cuda": 2 * 2**30}
# Bytes of logits in one product.
PRODUCT_BYTES = 256 * 2**20
# Bytes of logits that are normalized at once: on a CPU they should stay in its cache; on a GPU each takes a launch.
_BLOCK_BYTES = {"cpu": 8 * 2**20, "cuda": PRODUCT_BYTES}


class _NoHead(nn.Module):
    """Stands for an LM head and computes nothing: hidden states go in and come out."""

    def __init__(self, head: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = head.weight, head.bias  # some models look at their type

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden


class _GivenLogits(_NoHead):
    """Stands for an LM head and gives, for every position, the same logits, which are far apart."""

    def __init__(self, head: nn.Linear) -> None:
        super().__init__(head)
        steps = torch.linspace(-300, 300, head.weight.shape[0], device=head.weight.device)
        self.logits = torch.where(steps.abs() < 1, 1.0, steps).to(head.weight.dtype)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.logits.expand(*hidden.shape[:-1], -1)


# By what each model multiplies the logits of its head; None where it does something else to them.
_factors: WeakKeyDictionary[nn.Module, float | None] = WeakKeyDictionary()


def plain_head(model: PreTrainedModel) -> nn.Linear | None:
    """The LM head, where it is the last thing that a model does and can be done apart; None where it is not.

    Scaling by a constant before or after is no hindrance, for it commutes with the projection; capping does not, nor
    does anything else. Which of them a model does is seen by giving it logits, once, in a pass of two tokens.

    Raises:
        RuntimeError: the head is exchanged at this moment.
    """
    head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    if isinstance(head, _NoHead):
        raise RuntimeError("this model is being scored already, in another thread or by a call around this one")
    if type(head) is not nn.Linear or "forward" in vars(head) or head._forward_hooks or head._forward_pre_hooks:
        return None
    if model not in _factors:
        _factors[model] = _factor(model, head)
    factor = _factors[model]
    return None if factor is None or (head.bias is not None and factor != 1) else head


@torch.no_grad()
def _factor(model: PreTrainedModel, head: nn.Linear) -> float | None:
    given = _GivenLogits(head)
    device = head.weight.device
    # A frozen copy may keep its matrices in a coarser type than the rest; then only autocast makes them fit.
    coarser = {p.dtype for p in model.parameters() if p.is_floating_point()} - {torch.float32}
    dtype = next(iter(coarser), None) if any(p.dtype == torch.float32 for p in model.parameters()) else None
    with _instead(model, given), torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
        ids = torch.zeros(1, 2, dtype=torch.int64, device=device)
        found = model(input_ids=ids, use_cache=False).logits[0, -1].float()
    expected = given.logits.float()
    if found.shape != expected.shape:
        return None
    factor = float((found[-1] / expected[-1]).item())
    tolerance = 1e-5 if head.weight.dtype == torch.float32 else 2e-2
    return factor if torch.allclose(found, factor * expected, rtol=tolerance, atol=0) else None


@contextmanager
def without_head(model: PreTrainedModel) -> Iterator[None]:
    """Within the block, the model gives hidden states where it gave logits.

    Exchanges the LM head by the model's own `set_output_embeddings` and puts it back, whatever happens. The whole model
    is called and not its backbone alone: only so do scales of its logits and wrappers for several devices take part.
    """
    head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    with _instead(model, _NoHead(head)):
        yield


@contextmanager
def _instead(model: PreTrainedModel, other: _NoHead) -> Iterator[None]:
    exchange: Any = model.set_output_embeddings
    head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    exchange(other)
    try:
        yield
    finally:
        exchange(head)


def target_logps(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    row: Tensor,
    target: Tensor,
    *,
    entry: Tensor | None = None,
    dtype: torch.dtype | None = None,
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
        dtype: type of the products; None is that of the weights.
        kept_bytes: most memory of the softmax that is kept for the backward pass; None is `KEPT_BYTES`. No product is
            larger than this or `PRODUCT_BYTES`, and none of fewer rows than one.
        collisions: find out the third result too.
    Returns:
        Log-probabilities in nats, shape (targets,), float32; the mean logit of each row, shape (rows,), float32,
        without a gradient; and the log-probability that two draws from a row's distribution are the same token, in
        nats, shape (rows,), float32, without a gradient, or None.
    """
    limit = KEPT_BYTES.get(hidden.device.type, KEPT_BYTES["cpu"]) if kept_bytes is None else kept_bytes
    if entry is None:
        entry = torch.unique(row * weight.shape[0] + target, return_inverse=True)[1]
    wide = dtype or weight.dtype
    row_bytes = weight.shape[0] * wide.itemsize
    rows_at_once = max(1, min(limit, PRODUCT_BYTES) // row_bytes)
    keep = torch.is_grad_enabled() and hidden.shape[0] <= max(1, limit // row_bytes)
    settings = (wide, rows_at_once, keep, collisions)
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
        dtype, rows_at_once, may_keep, collisions = settings
        rows = hidden.shape[0]
        keep = may_keep and any(ctx.needs_input_grad[:3])
        x, w = hidden.to(dtype), weight_in(weight, dtype)
        small_bias = None if bias is None else bias.to(dtype)
        logit = torch.zeros(len(row), device=hidden.device)
        normalizer = torch.empty(rows, device=hidden.device)
        mean_logit = torch.empty(rows, device=hidden.device)
        collision = torch.empty(rows if collisions else 0, device=hidden.device)
        kept: list[Tensor] = []
        for part in _parts(rows, rows_at_once):
            logits = multiply(x[part], w, small_bias)
            inside, local = _inside(row, part)
            logit = torch.where(inside, logits[local, target].float(), logit)
            if collisions:
                collision[part] = torch.cat([torch.logsumexp(2 * block.float(), -1) for block in _blocks(logits)])
            mean_logit[part], normalizer[part] = _normalized(logits, overwrite=keep)
            if keep:
                kept.append(logits)
            del logits  # before the next block is there
        logp = logit - normalizer.index_select(0, row)
        # The weight is saved so that autograd notices when it was changed before the backward pass.
        ctx.save_for_backward(x, weight, bias, row, target, entry, normalizer, logp, *kept)
        ctx.w, ctx.rows_at_once, ctx.hidden_type = w, rows_at_once, hidden.dtype
        if collisions:
            collision -= 2 * normalizer
        ctx.mark_non_differentiable(mean_logit, collision)
        return logp, mean_logit, collision

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, row, target, entry, normalizer, logp, *kept = ctx.saved_tensors
        w: Tensor = ctx.w
        wants_hidden, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        small_bias = None if bias is None else bias.to(w.dtype)
        pull = grad.float()
        of_row = torch.zeros(x.shape[0], device=pull.device).index_add_(0, row, pull)
        of_entry = torch.zeros_like(pull).index_add_(0, entry, pull).index_select(0, entry)
        at_target = of_entry - of_row.index_select(0, row) * logp.exp()
        d_hidden = torch.empty(x.shape, device=x.device, dtype=ctx.hidden_type) if wants_hidden else None
        d_weight = d_bias = None
        for number, part in enumerate(_parts(x.shape[0], ctx.rows_at_once)):
            d_logits = kept[number] if kept else multiply(x[part], w, small_bias)
            if not kept:
                _exponentials(d_logits, normalizer[part])
            d_logits.mul_(of_row[part, None].neg().to(d_logits.dtype))
            _put(d_logits, part, row, target, at_target)
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


def _put(d_logits: Tensor, part: slice, row: Tensor, target: Tensor, value: Tensor) -> None:
    """Write at each target of a part its value, without finding out how many there are, which a GPU would wait for.

    What lies outside writes again what one inside does.
    """
    if not len(row):
        return
    inside, local = _inside(row, part)
    one = inside.to(torch.int8).argmax()[None]  # any of them; where there is none, the first, and nothing changes
    one_value = torch.where(inside[one], value[one].to(d_logits.dtype), d_logits[local[one], target[one]])
    where = torch.where(inside, local, local[one]), torch.where(inside, target, target[one])
    d_logits.index_put_(where, torch.where(inside, value.to(d_logits.dtype), one_value))


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
    most = _BLOCK_BYTES.get(rows.device.type, _BLOCK_BYTES["cpu"])
    return torch.split(rows, max(1, most // (4 * width)))
