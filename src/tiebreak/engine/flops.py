"""FLOPs of a batch: products and sums of the matrices, the attention and the LM head.

What the mathematics asks for, not what an implementation happens to do: nothing is counted for padding that attention
skips, for products that are computed again, or for what goes element by element.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from tiebreak.engine.batch import Batch, TreeBatch


@dataclass(frozen=True)
class ModelFlops:
    """FLOPs of a model's passes; a product and a sum are two.

    Attributes:
        per_token: in the matrices of the layers, a forward pass.
        per_prediction: in the LM head, for each position whose next token is predicted.
        per_pair: in the attention of all layers, for each pair of tokens of which one attends to the other.
        per_token_trained: the share of `per_token` in matrices that are trained.
        head_trained: whether the LM head is trained.
    """

    per_token: int
    per_prediction: int
    per_pair: int
    per_token_trained: int
    head_trained: bool

    def forward(self, batch: Batch) -> int:
        """FLOPs of one forward pass."""
        return self.per_token * batch.tokens + self.per_prediction * _predictions(batch) + self.per_pair * _pairs(batch)

    def backward(self, batch: Batch) -> int:
        """FLOPs of one backward pass: as many again for what went in, and for the weights that are trained."""
        head = self.per_prediction * _predictions(batch) if self.head_trained else 0
        return self.forward(batch) + self.per_token_trained * batch.tokens + head + self.per_pair * _pairs(batch)


def flops_of(model: PreTrainedModel) -> ModelFlops:
    """FLOPs by the shapes of a model's matrices."""
    head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    tables = {m.weight.data_ptr() for m in model.modules() if isinstance(m, torch.nn.Embedding)}
    if head is not None:
        tables.add(head.weight.data_ptr())
    config = model.config.get_text_config()
    hidden = int(getattr(config, "hidden_size", None) or head.in_features)
    layers = layer_configs(config)
    experts = getattr(layers[-1], "num_local_experts", None) or getattr(layers[-1], "num_experts", None)
    used = getattr(layers[-1], "num_experts_per_tok", None)
    matrices = trained = 0
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2 or "bias" in name or parameter.data_ptr() in tables:
            continue
        sparse = bool(experts and used) and "experts" in name and "shared" not in name
        packed = getattr(parameter, "quant_state", None)
        size = parameter.numel() if packed is None else int(torch.Size(packed.shape).numel())
        size = size * int(used) // int(experts) if sparse else size  # type: ignore[arg-type]
        matrices += size
        trained += size if parameter.requires_grad else 0
    return ModelFlops(
        per_token=2 * matrices,
        per_prediction=2 * hidden * int(config.vocab_size),
        per_pair=4 * sum(_attention_width(layer, hidden) for layer in layers),
        per_token_trained=2 * trained,
        head_trained=head is not None and head.weight.requires_grad,
    )


def layer_configs(config: Any) -> list[Any]:
    """The configuration of each layer of a model; in most models it is the same for all.

    Some give layers heads and widths of their own (Gemma 4), and then do not let the whole be asked for them.
    """
    if getattr(config, "is_heterogeneous", False):
        return list(config.per_layer_config)
    return [config] * int(getattr(config, "num_hidden_layers", 1))


def _attention_width(config: Any, hidden: int) -> int:
    heads = int(getattr(config, "num_attention_heads", 1))
    return heads * int(getattr(config, "head_dim", None) or hidden // heads)


def _predictions(batch: Batch) -> int:
    return int(batch.keep.numel()) if isinstance(batch, TreeBatch) else batch.targets


def _pairs(batch: Batch) -> int:
    """Pairs of tokens of which one attends to the other."""
    if isinstance(batch, TreeBatch):
        spans = [(branch.depth, branch.stop - branch.start) for branch in batch.branches]
        return sum(length * depth + length * (length + 1) // 2 for depth, length in spans)
    longest = int(batch.input_ids.shape[1])
    return batch.sequences * longest * (longest + 1) // 2
