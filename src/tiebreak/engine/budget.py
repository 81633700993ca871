"""How many tokens a micro-batch may hold: from the memory that is free and the shape of the model."""

from __future__ import annotations

import psutil
import torch
from transformers import PreTrainedModel

# Past these a larger micro-batch is not faster, only larger.
_ENOUGH = {"cpu": 4096, "cuda": 65536}
_LEAST = 256


def token_budget(model: PreTrainedModel) -> int:
    """Tokens that fit into half of the free memory, as a power of two.

    A power of two, so that small changes of the free memory do not change the split of a step.

    Args:
        model: the model, on its device; gradients and optimizer state are counted as not yet allocated.
    """
    device = model.device
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
    parameters = sum(p.numel() for p in model.parameters())
    left = free - parameters * 4 * 3  # gradients and two moments
    budget = _ENOUGH.get(device.type, 4096)
    while budget > _LEAST and budget * bytes_per_token(model) > left / 2:
        budget //= 2
    return budget


def bytes_per_token(model: PreTrainedModel) -> int:
    """Memory of a token's activations and logits, backward pass included; rough, and rather too much."""
    config = model.config.get_text_config()
    hidden = int(config.hidden_size)
    widths = getattr(config, "intermediate_size", None) or 4 * hidden
    inner = int(max(widths) if isinstance(widths, list | tuple) else widths)  # a few models have one for each layer
    layer = 12 * hidden + 4 * inner
    return 4 * (int(config.num_hidden_layers) * layer + 4 * int(config.vocab_size))
