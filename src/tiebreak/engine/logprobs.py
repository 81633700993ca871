"""Log-probs of completions: one forward pass of a batch, tree or padded, to one number a sequence.

While a batch is scored, the model's LM head is exchanged for one that computes nothing, and only scored positions are
projected (`lm_head.py`). While it is a tree batch, two more things in the model work otherwise: its attention is
Tiebreak's (`attention.py`), and on a CPU the calls of its linear layers are intercepted (`process`). For either, rotary
embeddings whose frequencies depend on lengths are called sequence by sequence (`rope.py`). All is as before afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tiebreak.engine.attention import attending_to_trees, plan_of
from tiebreak.engine.batch import Batch, PaddedBatch, TreeBatch
from tiebreak.engine.lm_head import plain_head, target_logps, without_head
from tiebreak.engine.rope import frequencies_of_each
from tiebreak.engine.router_loss import router_logits
from tiebreak.process.fast_linear import fast_linear


@dataclass(frozen=True)
class SequenceLogps:
    """What a forward pass says of each sequence.

    Attributes:
        logp: sum of the log-probabilities of the completion's tokens, in nats, shape (sequences,), float32.
        tokens: how many tokens were summed, shape (sequences,), float32.
        mean_logit: mean raw logit over the completion's positions and the vocabulary, shape (sequences,), no gradient.
        confidence: mean over the completion's tokens of the log-probability less that of two equal draws, in nats,
            shape (sequences,), no gradient; None where it was not asked for.
        router_logits: of each layer that is a mixture, what its router said of each token of the batch, shape
            (tokens, experts); empty where they were not asked for.
    """

    logp: Tensor
    tokens: Tensor
    mean_logit: Tensor
    confidence: Tensor | None = None
    router_logits: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Measures:
    """What is summed over a completion's tokens, where it is not simply their log-probabilities.

    Attributes:
        length_alpha: weight of the tokens by which a completion of a pair is longer than the other; 1 is a plain sum.
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
    model: nn.Module,
    batch: Batch,
    *,
    autocast: torch.dtype | None = None,
    measures: Measures = PLAIN,
    routers: bool = False,
) -> SequenceLogps:
    """Score the completions of a batch.

    Args:
        model: a causal language model of `transformers`, possibly wrapped for several devices. One that is being scored
            must not be used in another thread.
        batch: the sequences, on the model's device.
        autocast: type of the arithmetic; None is the type of the weights.
        measures: what is summed.
        routers: whether the model, which is a mixture, is asked for its router logits.
    Returns:
        Log-probabilities of all completions, in the order of the groups the batch was built from.
    """
    context = torch.autocast(batch.input_ids.device.type, dtype=autocast) if autocast is not None else nullcontext()
    inner = unwrapped(model)
    head = plain_head(inner)
    asked = {"output_router_logits": True} if routers else {}
    with context, computing(inner, batch), nullcontext() if head is None else without_head(inner):
        scored = _padded(model, batch, asked) if isinstance(batch, PaddedBatch) else _by_trees(model, batch, asked)
    collision: Tensor | None
    if head is None:
        logp, mean, collision = _gathered(scored.out.float()[scored.row], scored.target, measures)
    else:
        logp, means, collision = target_logps(
            scored.out,
            head.weight,
            head.bias,
            scored.row,
            scored.target,
            entry=scored.entry,
            dtype=autocast,
            collisions=measures.confidence,
        )
        mean = means[scored.row]
        collision = None if collision is None else collision[scored.row]
    found = _summed(logp, mean, collision, scored.sequence, batch.sequences, measures)
    return replace(found, router_logits=scored.router_logits)


@contextmanager
def computing(model: nn.Module, batch: Batch) -> Iterator[None]:
    """Within the block, a model computes in the way of a batch; after it, as before.

    For trees it sets the model's attention and, on a CPU, intercepts the calls of linear layers in this thread; where
    rotary frequencies depend on lengths, it gives each sequence its own. `sequence_logps` does so for the forward pass.
    A backward pass that computes layers again needs it too.
    """
    inner = unwrapped(model)
    with frequencies_of_each(inner, batch):
        if isinstance(batch, PaddedBatch):
            yield
            return
        with attending_to_trees(inner), fast_linear(batch.input_ids.device):
            yield


@contextmanager
def attending(path: Literal["tree", "padded"], *models: nn.Module) -> Iterator[None]:
    """Within the block, models that go by trees have their attention set once, and not for each batch.

    Args:
        path: of all batches in the block.
        models: that score them; nothing else is done with them meanwhile.
    """
    with ExitStack() as blocks:
        for model in models if path == "tree" else ():
            plain_head(unwrapped(model))  # which calls a new model by its own attention, if only once
            blocks.enter_context(attending_to_trees(unwrapped(model)))
        yield


@dataclass(frozen=True)
class _Scored:
    """What a model says of the positions before scored tokens.

    Attributes:
        out: logits, or what goes into the LM head where that is exchanged, shape (rows, width).
        row: for each scored token, the row that predicts it, shape (scored,).
        target: for each scored token, its id, shape (scored,).
        sequence: for each scored token, the number of its sequence, shape (scored,).
        entry: as in `target_logps`.
        router_logits: as in `SequenceLogps`.
    """

    out: Tensor
    row: Tensor
    target: Tensor
    sequence: Tensor
    entry: Tensor
    router_logits: tuple[Tensor, ...]


def _by_trees(model: nn.Module, batch: TreeBatch, asked: dict[str, bool]) -> _Scored:
    # Extra keyword arguments of the call reach the attention function; that is how it learns of the trees.
    out = model(
        input_ids=batch.input_ids[None],
        position_ids=batch.position[None],
        use_cache=False,
        logits_to_keep=batch.keep,
        tree=plan_of(batch),
        **asked,
    )
    return _Scored(out.logits[0], batch.kept_row, batch.target, batch.sequence, batch.entry, router_logits(out))


def _padded(model: nn.Module, batch: PaddedBatch, asked: dict[str, bool]) -> _Scored:
    out = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False, **asked)
    if out.logits.shape[:2] != batch.input_ids.shape:
        raise IndexError(f"the model gives {tuple(out.logits.shape)} for tokens {tuple(batch.input_ids.shape)}")
    before = out.logits.flatten(0, 1).index_select(0, batch.place - 1)
    row = torch.arange(batch.targets, device=before.device)  # each predicts one token
    target = batch.input_ids.flatten().index_select(0, batch.place)
    return _Scored(before, row, target, batch.sequence, row, router_logits(out))


def _gathered(logits: Tensor, target: Tensor, measures: Measures) -> tuple[Tensor, Tensor, Tensor | None]:
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
    """The weight of each token: 1 up to the length of the pair's shorter completion, alpha beyond; shape (tokens,)."""
    shorter = tokens.view(-1, 2).amin(1).repeat_interleave(2)
    first = tokens.cumsum(0) - tokens
    offset = torch.arange(len(sequence), device=sequence.device) - first[sequence]
    return torch.where(offset < shorter[sequence], 1.0, alpha)


def unwrapped(model: nn.Module) -> PreTrainedModel:
    """The model of `transformers` inside wrappers for several devices."""
    while not isinstance(model, PreTrainedModel):
        inner = getattr(model, "module", None)
        if not isinstance(inner, nn.Module):
            raise TypeError(f"not a model of transformers: {type(model).__name__}")
        model = inner
    return model
