"""Log-probabilities of endings: one forward pass of a batch, tree or padded, to one number a sequence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tiebreak.engine.attention import attending_to_trees, plan_of
from tiebreak.engine.padded import PaddedBatch
from tiebreak.engine.products import fast_products
from tiebreak.engine.tree import TreeBatch
from tiebreak.engine.vocabulary import target_logps

Batch = TreeBatch | PaddedBatch


@dataclass(frozen=True)
class SequenceLogps:
    """What a forward pass says of each sequence.

    Attributes:
        logp: sum of the log-probabilities of the ending's tokens, in nats, shape (sequences,), float32.
        tokens: how many tokens were summed, shape (sequences,), float32.
        mean_logit: mean raw logit over the ending's positions and the vocabulary, shape (sequences,), no gradient.
        confidence: mean over the ending's tokens of the log-probability less that of two equal draws, in nats, shape
            (sequences,), no gradient; None where it was not asked for.
    """

    logp: Tensor
    tokens: Tensor
    mean_logit: Tensor
    confidence: Tensor | None = None

    @property
    def mean_logp(self) -> Tensor:
        """Log-probability a token, in nats, shape (sequences,)."""
        return self.logp / self.tokens


@dataclass(frozen=True)
class Measures:
    """What is summed over an ending's tokens, where it is not simply their log-probabilities.

    Attributes:
        length_alpha: weight of the tokens by which an ending of a pair is longer than the other; 1 is a plain sum.
            Source: Liu et al. 2024, LD-DPO, arXiv 2409.06411.
        confidence: find out the policy's confidence too, which weights a pair in WPO.
            Source: Zhou et al. 2024, WPO, arXiv 2406.11827, eq. 2 and its alignment of weights.
    """

    length_alpha: float = 1.0
    confidence: bool = False

    def sums_only(self) -> Measures:
        """The same without the confidence."""
        return Measures(self.length_alpha)


PLAIN = Measures()


def sequence_logps(
    model: nn.Module, batch: Batch, *, autocast: torch.dtype | None = None, measures: Measures = PLAIN
) -> SequenceLogps:
    """Score the endings of a batch.

    Args:
        model: a causal language model of `transformers`, possibly wrapped for several devices.
        batch: the sequences, on the model's device.
        autocast: type of the arithmetic; None is the type of the weights.
        measures: what is summed.
    Returns:
        Log-probabilities of all endings, in the order of the groups the batch was built from.
    """
    context = torch.autocast(batch.input_ids.device.type, dtype=autocast) if autocast is not None else nullcontext()
    if isinstance(batch, PaddedBatch):
        with context:
            logits, target, sequence = _padded_logits(model, batch)
        return _summed(*_looked_up(logits.float(), target, measures), sequence, batch.sequences, measures)
    inner = unwrapped(model)
    head = plain_head(inner)
    # Extra keyword arguments of the call reach the attention function; that is how it learns of the trees.
    with context, computing(inner, batch), nullcontext() if head is None else left_out(head):
        out = model(
            input_ids=batch.input_ids[None],
            position_ids=batch.position[None],
            use_cache=False,
            logits_to_keep=batch.keep,
            tree=plan_of(batch),
        ).logits[0]
    collision: Tensor | None
    if head is None:
        logp, mean, collision = _looked_up(out.float()[batch.kept_row], batch.target, measures)
    else:
        logp, means, collision = target_logps(
            out,
            head.weight,
            head.bias,
            batch.kept_row,
            batch.target,
            entry=batch.entry,
            arithmetic=autocast,
            collisions=measures.confidence,
        )
        mean = means[batch.kept_row]
        collision = None if collision is None else collision[batch.kept_row]
    return _summed(logp, mean, collision, batch.sequence, batch.sequences, measures)


@contextmanager
def computing(model: nn.Module, batch: Batch) -> Iterator[None]:
    """Within the block, a model computes in the way of a batch.

    `sequence_logps` sees to it for the forward pass. A backward pass that computes layers again needs it too.
    """
    if isinstance(batch, PaddedBatch):
        yield
        return
    with attending_to_trees(unwrapped(model)), fast_products(batch.input_ids.device):
        yield


def plain_head(model: PreTrainedModel) -> nn.Linear | None:
    """The projection to the vocabulary, where it is the last thing that a model does and can be done apart.

    Scaling by a constant before or after is no hindrance, for it commutes with the projection; capping does not.
    """
    head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    if head is not None and vars(head).get("forward") is _hand_on:
        raise RuntimeError("this model is being scored already, in another thread or by a call around this one")
    capped = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
    changed = type(head) is not nn.Linear or "forward" in vars(head) or head._forward_hooks or head._forward_pre_hooks
    return None if changed or capped else head


def _hand_on(hidden: Tensor) -> Tensor:
    return hidden


@contextmanager
def left_out(head: nn.Linear) -> Iterator[None]:
    """Within the block, the projection hands on what it is given."""
    vars(head)["forward"] = _hand_on
    try:
        yield
    finally:
        del vars(head)["forward"]


def _padded_logits(model: nn.Module, batch: PaddedBatch) -> tuple[Tensor, Tensor, Tensor]:
    logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False).logits
    scored = batch.scored[:, 1:]
    sequence = torch.arange(batch.sequences, device=logits.device)[:, None].expand_as(scored)[scored]
    return logits[:, :-1][scored], batch.input_ids[:, 1:][scored], sequence


def _looked_up(logits: Tensor, target: Tensor, measures: Measures) -> tuple[Tensor, Tensor, Tensor | None]:
    """Log-probability, mean logit and collision of each target, from logits of shape (targets, vocabulary)."""
    normalizer = torch.logsumexp(logits, dim=-1)
    logp = logits.gather(1, target[:, None])[:, 0] - normalizer
    collision = None
    if measures.confidence:
        collision = (torch.logsumexp(2 * logits.detach(), dim=-1) - 2 * normalizer).detach()
    return logp, logits.detach().mean(dim=-1), collision


def _summed(
    logp: Tensor, mean_logit: Tensor, collision: Tensor | None, sequence: Tensor, sequences: int, measures: Measures
) -> SequenceLogps:
    """From one number a token to one a sequence; the tokens of a sequence stand together, in order."""
    zeros = torch.zeros(sequences, device=logp.device)
    tokens = zeros.index_add(0, sequence, torch.ones(sequence.shape, device=logp.device))
    confidence = None
    if collision is not None:
        confidence = zeros.index_add(0, sequence, logp.detach() - collision) / tokens
    if measures.length_alpha != 1:
        logp = logp * _desensitized(tokens, sequence, measures.length_alpha)
    mean = zeros.index_add(0, sequence, mean_logit.detach()) / tokens
    return SequenceLogps(zeros.index_add(0, sequence, logp), tokens, mean, confidence)


def _desensitized(tokens: Tensor, sequence: Tensor, alpha: float) -> Tensor:
    """The weight of each token: 1 up to the length of the pair's shorter ending, alpha beyond; shape (tokens,)."""
    shorter = tokens.view(-1, 2).amin(1).repeat_interleave(2)
    first = tokens.cumsum(0) - tokens
    place = torch.arange(len(sequence), device=sequence.device) - first[sequence]
    return torch.where(place < shorter[sequence], 1.0, alpha)


def unwrapped(model: nn.Module) -> PreTrainedModel:
    """The model of `transformers` inside wrappers for several devices."""
    while not isinstance(model, PreTrainedModel):
        inner = getattr(model, "module", None)
        if not isinstance(inner, nn.Module):
            raise TypeError(f"not a model of transformers: {type(model).__name__}")
        model = inner
    return model
