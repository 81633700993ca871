"""Which tokens a log-prob or a score depends on, by gradients: where there must be no influence, it is exactly zero.

So a fault is seen however small it happens to be with these weights. A difference of log-probs would have to be told
from rounding by its size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from tiebreak.engine.batch import Batch, ScoredGroup, TreeBatch
from tiebreak.engine.logprobs import computing, sequence_logps, unwrapped
from tiebreak.engine.microbatch import BatchPath, build_batch
from tiebreak.engine.rope import rope_lengths


def leaks(model: nn.Module, groups: Sequence[ScoredGroup], autocast: torch.dtype | None) -> bool:
    """Whether by trees the log-probs of some completions depend on tokens that do not stand before them.

    Args:
        model: on its device.
        groups: at least two sequences in all, or nothing could leak.
        autocast: arithmetic; None is that of the weights.
    """

    def predictor(batch: TreeBatch, sequence: int) -> Tensor:
        return batch.keep[batch.kept_row[batch.sequence == sequence]].max()

    return leaks_between(model, groups, lambda batch: sequence_logps(model, batch, autocast=autocast).logp, predictor)


def leaks_between(
    model: nn.Module,
    groups: Sequence[ScoredGroup],
    scores: Callable[[TreeBatch], Tensor],
    last_of: Callable[[TreeBatch, int], Tensor],
) -> bool:
    """Whether by trees what is said of some sequences depends on tokens that do not stand before them.

    Args:
        model: on its device.
        groups: at least two sequences in all, or nothing could leak.
        scores: a number for each sequence of a batch, shape (sequences,), which the model gives.
        last_of: where in a batch the last token stands that the number of a sequence may depend on.
    """
    inner = unwrapped(model)
    batch = build_batch(groups, "tree", inner.device, rope_lengths(inner))
    assert isinstance(batch, TreeBatch)
    numbers = torch.arange(batch.tokens, device=batch.input_ids.device)
    for asked in _halves(groups):
        with torch.enable_grad(), _watched(model) as seen:
            found = scores(batch)[asked].sum()
        # A model that is scored for the first time may be called once before.
        gradient = _gradient(model, batch, found, seen[-1]).flatten(0, -2)
        before = torch.zeros_like(numbers, dtype=torch.bool)
        for sequence in asked:
            last = last_of(batch, sequence)
            before |= (numbers <= last) & (last < batch.subtree_end)
        if bool(gradient[~before].count_nonzero()):
            return True
    return False


def _halves(groups: Sequence[ScoredGroup]) -> Iterator[list[int]]:
    """Numbers of sequences to ask about at once: of any two, one is asked about without the other, both ways.

    Halves by the bits of two numbers: which group it is, and which completion of it. For pairs: the chosen, the
    rejected; then every second group, and the others.
    """
    codes = [(number, i) for number, group in enumerate(groups) for i in range(len(group.completions))]
    for place in (1, 0):
        for bit in range(max(code[place] for code in codes).bit_length()):
            for value in (0, 1):
                yield [i for i, code in enumerate(codes) if code[place] >> bit & 1 == value]


def gradient_difference(model: nn.Module, groups: Sequence[ScoredGroup], autocast: torch.dtype | None) -> float:
    """How far the gradients by trees are from those by padded batches.

    Args:
        model, groups, autocast: as for `leaks`.
    Returns:
        Norm of the difference of the gradients at the token embeddings, as a share of the norm by padded batches; NaN
        where either is not finite.
    """
    trees, padded = (_by_token(model, groups, path, autocast) for path in _PATHS)
    return float((trees - padded).norm() / padded.norm().clamp_min(torch.finfo(padded.dtype).tiny))


def sees_what_follows(model: nn.Module, group: ScoredGroup, autocast: torch.dtype | None = None) -> bool | None:
    """Whether the prediction at a token depends on a later token, as in a model that attends in both directions.

    Args:
        model: on its device.
        group: with a completion; its tokens are only read.
        autocast: arithmetic; None is that of the weights.
    Returns:
        None where the model looks up its tokens in another way than by its input embeddings.
    """
    inner = unwrapped(model)
    ids = [*group.prompt, *group.completions[0]]
    row = torch.tensor([ids], device=inner.device)
    arithmetic = torch.autocast(inner.device.type, dtype=autocast, enabled=autocast is not None)
    with torch.enable_grad(), arithmetic, _watched(inner) as seen:
        logits = model(input_ids=row, use_cache=False).logits[0]
    if not seen or seen[0].shape[:-1].numel() != len(ids):
        return None
    middle = (len(ids) - 1) // 2
    (gradient,) = torch.autograd.grad(logits[middle, ids[middle + 1]], seen[0])
    return bool(gradient.flatten(0, -2)[middle + 1 :].count_nonzero())  # some models have tokens before rows


_PATHS: tuple[BatchPath, BatchPath] = ("tree", "padded")


def _by_token(model: nn.Module, groups: Sequence[ScoredGroup], path: BatchPath, autocast: torch.dtype | None) -> Tensor:
    """The gradient of a sum of log-probs at the embedding of each token of the vocabulary that stands in the groups."""
    inner = unwrapped(model)
    batch = build_batch(groups, path, inner.device, rope_lengths(inner))
    logps, embedded = _scored(model, batch, autocast)
    signs = torch.ones_like(logps)
    signs[1::2] = -1.0  # as chosen and rejected
    gradient = _gradient(model, batch, (signs * logps).sum(), embedded).flatten(0, -2).float()
    ids = batch.input_ids.flatten()
    return gradient.new_zeros(int(ids.max()) + 1, gradient.shape[-1]).index_add(0, ids, gradient)


def _scored(model: nn.Module, batch: Batch, autocast: torch.dtype | None) -> tuple[Tensor, Tensor]:
    """The log-probs of a batch, shape (sequences,), and its token embeddings, which they can be differentiated by."""
    with torch.enable_grad(), _watched(model) as seen:
        logps = sequence_logps(model, batch, autocast=autocast).logp
    return logps, seen[-1]  # a model that is scored for the first time may be called once before


def _gradient(model: nn.Module, batch: Batch, of: Tensor, at: Tensor) -> Tensor:
    with computing(model, batch):  # layers that are computed again compute as they did
        (gradient,) = torch.autograd.grad(of, at)
    return gradient


@contextmanager
def _watched(model: nn.Module) -> Iterator[list[Tensor]]:
    """Within the block, the token embeddings that the model looks up are noted, each the start of a graph."""
    seen: list[Tensor] = []

    def note(_module: nn.Module, _given: object, embedded: Tensor) -> Tensor:
        start = embedded.detach().requires_grad_()
        seen.append(start)
        return start.clone()  # the model may change what it is given in place

    table: nn.Module = unwrapped(model).get_input_embeddings()
    handle = table.register_forward_hook(note)
    try:
        yield seen
    finally:
        handle.remove()
