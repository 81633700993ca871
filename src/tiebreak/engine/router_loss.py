"""The router loss of mixture models: how unevenly the experts are used, which training is to keep low.

With f the share of tokens that go to an expert and p the mean probability that its router gives it, over all tokens of
all layers, it is the sum over the experts of f p, times their number. It is smallest where all are used alike.

A step has one such loss, over all its sequences, each with all its tokens and without padding. A prompt that a tree
stores once counts as often as there are sequences that begin with it, so that trees and padded batches have the same
loss: it is about what the model is trained on, not about what happens to be computed. Since f is of the whole step, the
loss is not a sum over micro-batches; `Loads` of them are added up first.

Source: Fedus et al. 2022, Switch Transformers, arXiv 2101.03961, eq. 4 to 6, as models of `transformers` compute it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tiebreak.engine.batch import Batch, PaddedBatch, moved

_TOKENS = 16  # of the pass in which a model's own loss is looked at


@dataclass(frozen=True)
class RouterLoss:
    """That a model has a router loss of the known kind.

    Attributes:
        weight: what its configuration multiplies the loss by.
        top_k: how many experts a token goes to.
    """

    weight: float
    top_k: int


@dataclass(frozen=True)
class Loads:
    """How the experts were used by some tokens.

    Attributes:
        routed: how often a token went to each expert, shape (experts,), without a gradient.
        probability: sum of the routers' probabilities of each expert, shape (experts,).
        rows: how many tokens, each counted in every layer, shape ().
    """

    routed: Tensor
    probability: Tensor
    rows: Tensor

    def __add__(self, other: Loads) -> Loads:
        return Loads(self.routed + other.routed, self.probability + other.probability, self.rows + other.rows)

    def detached(self) -> Loads:
        """The same without a gradient."""
        return Loads(self.routed, self.probability.detach(), self.rows)


def loss_of(part: Loads, whole: Loads) -> Tensor:
    """A micro-batch's part in the router loss of its step, shape (); the parts sum up to it.

    Args:
        part: of the micro-batch, whose probabilities may have a gradient.
        whole: of the step.
    """
    experts = len(whole.routed)
    return experts * ((whole.routed / whole.rows) * (part.probability / whole.rows)).sum()


def loads_of(router_logits: Sequence[Tensor], top_k: int, counts: Tensor) -> Loads:
    """How the experts were used.

    Args:
        router_logits: of each layer with experts, shape (tokens, experts) or (rows, length, experts).
        top_k: how many experts a token goes to.
        counts: how often each token counts, shape (tokens,).
    """
    experts, device = router_logits[0].shape[-1], router_logits[0].device
    routed, probability = torch.zeros(experts, device=device), torch.zeros(experts, device=device)
    counts = counts.to(device, torch.float32)
    for layer in router_logits:
        weights = layer.reshape(-1, experts).softmax(-1)
        chosen = weights.detach().topk(top_k, dim=-1).indices
        routed = routed.index_add(0, chosen.flatten(), counts.repeat_interleave(top_k))
        probability = probability + (weights.float() * counts[:, None]).sum(0)
    return Loads(routed, probability, counts.sum() * len(router_logits))


def token_counts(batch: Batch, counted: Sequence[bool]) -> Tensor:
    """In how many of the counted sequences each token of a batch stands, shape (tokens,), float32.

    Args:
        batch: of whichever kind; padding counts never.
        counted: of each sequence, whether it counts.
    """
    device = batch.input_ids.device
    count = moved(torch.tensor(counted, dtype=torch.float32), device)
    if isinstance(batch, PaddedBatch):
        return (batch.attention_mask * count[:, None]).flatten()
    ending = torch.zeros(batch.tokens + 1, device=device).index_add(0, batch.last + 1, count)
    before = ending.cumsum(0)  # sequences that end before each place
    return before[batch.subtree_end] - before[: batch.tokens]


@torch.no_grad()
def router_loss_of(model: PreTrainedModel) -> RouterLoss | None:
    """A model's router loss; None where it has none, or gives it no weight.

    Raises:
        ValueError: it has one that is computed in another way.
    """
    weight = _weight(model)
    if not weight:
        return None
    ids = (torch.arange(_TOKENS, device=model.device) % int(model.config.get_text_config().vocab_size))[None]
    if not router_logits(model.base_model(input_ids=ids, output_router_logits=True, use_cache=False)):
        return None  # of its layers none is a mixture, which not every model's own loss stands
    out: Any = model(input_ids=ids, output_router_logits=True, use_cache=False)
    logits, expected = router_logits(out), getattr(out, "aux_loss", None)
    if isinstance(expected, Tensor) and all(layer.numel() == _TOKENS * layer.shape[-1] for layer in logits):
        for top_k in range(1, logits[0].shape[-1] + 1):
            loads = loads_of(logits, top_k, torch.ones(_TOKENS))
            if torch.allclose(loss_of(loads, loads), expected.float(), rtol=1e-3):
                return RouterLoss(weight, top_k)
    raise ValueError(f"{type(model).__name__} computes its router loss in a way of its own")


def router_logits(out: Any) -> tuple[Tensor, ...]:
    """What the routers of a model said, layer by layer, from its output; empty where it has none or was not asked."""
    found = getattr(out, "router_logits", None) or ()
    return tuple(layer for layer in found if isinstance(layer, Tensor) and layer.ndim > 1)


def _weight(model: PreTrainedModel) -> float:
    """The weight that a model gives its router loss; 0 where it has none."""
    config = model.config.get_text_config()
    if not hasattr(config, "output_router_logits"):
        return 0.0
    for name in ("router_aux_loss_coef", "aux_loss_coef"):
        for holder in (model, config):
            value = getattr(holder, name, None)
            if isinstance(value, int | float):
                return float(value)
    return 0.0
