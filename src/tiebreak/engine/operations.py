"""How much arithmetic a batch needs: products and sums of the matrices, the attention and the vocabulary.

What the mathematics asks for, not what an implementation happens to do: nothing is counted for padding that attention
skips, for products that are computed again, or for what goes element by element.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from tiebreak.engine.logprobs import Batch
from tiebreak.engine.tree import TreeBatch


@dataclass(frozen=True)
class Cost:
    """Operations of a forward pass; a product and a sum are two.

    Attributes:
        token: for each token, in the matrices of the layers.
        scored: for each position whose next token is looked at, in the projection to the vocabulary.
        attended: for each token that another attends to, in all layers.
        learned: the share of `token` in matrices that are trained.
        head: whether the projection to the vocabulary is trained.
    """

    token: int
    scored: int
    attended: int
    learned: int
    head: bool

    def forward(self, batch: Batch) -> int:
        """Operations of one forward pass."""
        return self.token * batch.tokens + self.scored * _scored(batch) + self.attended * _attended(batch)

    def backward(self, batch: Batch) -> int:
        """Operations of one backward pass: as many again for what went in, and for the weights that are trained."""
        weights = self.learned * batch.tokens + (self.scored * _scored(batch) if self.head else 0)
        return self.forward(batch) + weights + self.attended * _attended(batch)


def cost_of(model: PreTrainedModel) -> Cost:
    """What a model's shape makes it cost."""
    head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    tables = {m.weight.data_ptr() for m in model.modules() if isinstance(m, torch.nn.Embedding)}
    if head is not None:
        tables.add(head.weight.data_ptr())
    config = model.config.get_text_config()
    hidden, layers = int(config.hidden_size), int(config.num_hidden_layers)
    heads = int(getattr(config, "num_attention_heads", 1))
    width = heads * int(getattr(config, "head_dim", None) or hidden // heads)
    experts = getattr(config, "num_local_experts", None) or getattr(config, "num_experts", None)
    used = getattr(config, "num_experts_per_tok", None)
    matrices = learned = 0
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2 or "bias" in name or parameter.data_ptr() in tables:
            continue
        sparse = bool(experts and used) and "experts" in name and "shared" not in name
        packed = getattr(parameter, "quant_state", None)
        size = parameter.numel() if packed is None else int(torch.Size(packed.shape).numel())
        size = size * int(used) // int(experts) if sparse else size  # type: ignore[arg-type]
        matrices += size
        learned += size if parameter.requires_grad else 0
    return Cost(
        token=2 * matrices,
        scored=2 * hidden * int(config.vocab_size),
        attended=4 * width * layers,
        learned=2 * learned,
        head=head is not None and head.weight.requires_grad,
    )


def _scored(batch: Batch) -> int:
    return int(batch.keep.numel()) if isinstance(batch, TreeBatch) else batch.targets


def _attended(batch: Batch) -> int:
    """Pairs of tokens of which one attends to the other."""
    if isinstance(batch, TreeBatch):
        spans = [(branch.depth, branch.stop - branch.start) for branch in batch.branches]
        return sum(length * depth + length * (length + 1) // 2 for depth, length in spans)
    longest = int(batch.input_ids.shape[1])
    return batch.sequences * longest * (longest + 1) // 2
