"""Small sequence classifiers of many architectures with random weights, for tests that must hold for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers
from transformers import PreTrainedModel

from tests.architectures import GROUPED, SHAPE, SPECIAL

Make = Callable[[], PreTrainedModel]
_GPT2 = {"vocab_size": 61, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 128, **SPECIAL}
_DYNAMIC = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}


def classifier(config_name: str, labels: int = 1, **settings: object) -> Make:
    """What makes a small classifier with large random weights from a configuration of `transformers`."""

    def make() -> PreTrainedModel:
        torch.manual_seed(0)
        config = getattr(transformers, config_name)(**settings, num_labels=labels)
        build: Any = transformers.AutoModelForSequenceClassification.from_config
        model: PreTrainedModel = build(config, dtype=torch.float32)
        with torch.no_grad():  # larger than the usual start, so that a wrong mask shows
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    parameter.normal_(std=0.15)
        model.train(False)
        return model

    return make


BY_TREE: dict[str, Make] = {
    "gpt2": classifier("GPT2Config", **_GPT2),
    "gpt2, two labels": classifier("GPT2Config", 2, **_GPT2),
    "llama": classifier("LlamaConfig", **GROUPED),
    "llama, two labels": classifier("LlamaConfig", 2, **GROUPED),
    "llama, dynamic rope": classifier(
        "LlamaConfig", **GROUPED | {"max_position_embeddings": 16}, rope_parameters=_DYNAMIC
    ),
    "qwen2": classifier("Qwen2Config", **GROUPED),
    "qwen3, two labels": classifier("Qwen3Config", 2, **GROUPED, head_dim=8),
    "gpt_neox": classifier("GPTNeoXConfig", **SHAPE),
    "phi": classifier("PhiConfig", **SHAPE),
    "mistral_window": classifier("MistralConfig", **GROUPED, sliding_window=6),
    "gemma2_capped": classifier("Gemma2Config", **GROUPED, head_dim=8, sliding_window=6, attn_logit_softcapping=1.5),
}
"""Those whose scores are the same by trees."""
PADDED: dict[str, Make] = {
    "bert": classifier("BertConfig", **SHAPE),
    "deberta": classifier("DebertaV2Config", **SHAPE),
    "bloom": classifier("BloomConfig", vocab_size=61, hidden_size=32, n_layer=3, n_head=4, **SPECIAL),
    "jamba": classifier(
        "JambaConfig",
        **GROUPED,
        attn_layer_period=2,
        attn_layer_offset=1,
        expert_layer_period=2,
        expert_layer_offset=1,
        num_experts=2,
        mamba_d_state=4,
        mamba_dt_rank=4,
    ),
    "qwen3_next": classifier(
        "Qwen3NextConfig",
        **GROUPED | {"num_hidden_layers": 4},
        head_dim=8,
        linear_num_value_heads=4,
        linear_num_key_heads=2,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        num_experts=2,
        num_experts_per_tok=1,
        moe_intermediate_size=16,
        shared_expert_intermediate_size=16,
    ),
}
"""Those that need padded batches, and what they say of it is in the tests."""
