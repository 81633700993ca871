"""Log-probabilities of endings: one forward pass of a batch, tree or padded, to one number a sequence."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tiebreak.engine.attention import attending_to_trees, plan_of
from tiebreak.engine.padded import PaddedBatch
from tiebreak.engine.tree import TreeBatch

Batch = TreeBatch | PaddedBatch


@dataclass(frozen=True)
class SequenceLogps:
    """What a forward pass says of each sequence.

    Attributes:
        logp: sum of the log-probabilities of the ending's tokens, in nats, shape (sequences,), float32.
        tokens: how many tokens were summed, shape (sequences,), float32.
        mean_logit: mean raw logit over the ending's positions and the vocabulary, shape (sequences,), no gradient.
    """

    logp: Tensor
    tokens: Tensor
    mean_logit: Tensor

    @property
    def mean_logp(self) -> Tensor:
        """Log-probability a token, in nats, shape (sequences,)."""
        return self.logp / self.tokens


def sequence_logps(model: torch.nn.Module, batch: Batch, *, autocast: torch.dtype | None = None) -> SequenceLogps:
    """Score the endings of a batch.

    Args:
        model: a causal language model of `transformers`, possibly wrapped for several devices.
        batch: the sequences, on the model's device.
        autocast: type of the arithmetic; None is the type of the weights.
    Returns:
        Log-probabilities of all endings, in the order of the groups the batch was built from.
    """
    context = torch.autocast(batch.input_ids.device.type, dtype=autocast) if autocast is not None else nullcontext()
    with context:
        logits, kept_row, target, sequence = (
            _tree_logits(model, batch) if isinstance(batch, TreeBatch) else _padded_logits(model, batch)
        )
    return _gather(logits.float(), kept_row, target, sequence, batch.sequences)


def _tree_logits(model: torch.nn.Module, batch: TreeBatch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    # Extra keyword arguments of the call reach the attention function; that is how it learns of the trees.
    with attending_to_trees(unwrapped(model)):
        out = model(
            input_ids=batch.input_ids[None],
            position_ids=batch.position[None],
            use_cache=False,
            logits_to_keep=batch.keep,
            tree=plan_of(batch),
        )
    return out.logits[0], batch.kept_row, batch.target, batch.sequence


def _padded_logits(model: torch.nn.Module, batch: PaddedBatch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False).logits
    scored = batch.scored[:, 1:]
    kept = logits[:, :-1][scored]
    sequence = torch.arange(batch.sequences, device=kept.device)[:, None].expand_as(scored)[scored]
    return kept, torch.arange(len(kept), device=kept.device), batch.input_ids[:, 1:][scored], sequence


def _gather(logits: Tensor, kept_row: Tensor, target: Tensor, sequence: Tensor, sequences: int) -> SequenceLogps:
    """From next-token logits, shape (kept, vocabulary), to one log-probability a sequence."""
    token_logp = logits[kept_row, target] - torch.logsumexp(logits, dim=-1)[kept_row]
    zeros = torch.zeros(sequences, device=logits.device)
    logp = zeros.index_add(0, sequence, token_logp)
    with torch.no_grad():
        tokens = zeros.index_add(0, sequence, torch.ones_like(token_logp))
        mean_logit = zeros.index_add(0, sequence, logits.mean(dim=-1)[kept_row]) / tokens
    return SequenceLogps(logp, tokens, mean_logit)


def unwrapped(model: torch.nn.Module) -> PreTrainedModel:
    """The model of `transformers` inside wrappers for several devices."""
    while not isinstance(model, PreTrainedModel):
        inner = getattr(model, "module", None)
        if not isinstance(inner, torch.nn.Module):
            raise TypeError(f"not a model of transformers: {type(model).__name__}")
        model = inner
    return model
