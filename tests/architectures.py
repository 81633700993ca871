"""Small models of many architectures with random weights, for tests that must hold for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers
from transformers import PreTrainedModel

SHAPE = {
    "vocab_size": 61,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GROUPED = {**SHAPE, "num_key_value_heads": 2}
SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


def made(config_name: str, **settings: object) -> Callable[[], PreTrainedModel]:
    """What makes a small model with large random weights from a configuration of `transformers`."""

    def make() -> PreTrainedModel:
        torch.manual_seed(0)
        config = getattr(transformers, config_name)(**settings)
        build: Any = transformers.AutoModelForCausalLM.from_config
        model: PreTrainedModel = build(config, dtype=torch.float32)
        with torch.no_grad():  # larger than the usual start, so that a wrong mask shows
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    parameter.normal_(std=0.15)
        model.train(False)
        return model

    return make


ARCHITECTURES: dict[str, Callable[[], PreTrainedModel]] = {
    "gpt2": made("GPT2Config", vocab_size=61, n_embd=32, n_layer=3, n_head=4, n_positions=128, **SPECIAL),
    "llama": made("LlamaConfig", **GROUPED),
    "qwen2": made("Qwen2Config", **GROUPED),
    "qwen3": made("Qwen3Config", **GROUPED, head_dim=8),
    "qwen2_moe": made(
        "Qwen2MoeConfig",
        **GROUPED,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=24,
        shared_expert_intermediate_size=24,
    ),
    "gpt_neox": made("GPTNeoXConfig", **SHAPE),
    "opt": made(
        "OPTConfig",
        vocab_size=61,
        hidden_size=32,
        ffn_dim=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=128,
        word_embed_proj_dim=32,
        dropout=0.0,
        **SPECIAL,
    ),
    "phi": made("PhiConfig", **SHAPE),
    "phi3": made("Phi3Config", **GROUPED),
    "falcon": made(
        "FalconConfig",
        vocab_size=61,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        alibi=False,
        **SPECIAL,
    ),
    "smollm3": made("SmolLM3Config", **GROUPED),
    "olmo2": made("Olmo2Config", **GROUPED),
    "granite": made("GraniteConfig", **GROUPED, logits_scaling=2.0),
    "mistral_window": made("MistralConfig", **GROUPED, sliding_window=6),
    "gemma2": made("Gemma2Config", **GROUPED, head_dim=8, sliding_window=6),
    "gemma2_capped": made("Gemma2Config", **GROUPED, head_dim=8, sliding_window=6, attn_logit_softcapping=1.5),
    "gpt_oss": made(
        "GptOssConfig", **GROUPED, head_dim=8, sliding_window=6, num_local_experts=4, num_experts_per_tok=2
    ),
    "gemma3_window": made("Gemma3TextConfig", **GROUPED, head_dim=8, sliding_window=6),
    "qwen2_window": made("Qwen2Config", **GROUPED, use_sliding_window=True, sliding_window=6, max_window_layers=1),
    "bloom": made("BloomConfig", vocab_size=61, hidden_size=32, n_layer=3, n_head=4, **SPECIAL),
    "gpt_neo": made(
        "GPTNeoConfig",
        vocab_size=61,
        hidden_size=32,
        num_layers=2,
        attention_types=[[["global", "local"], 1]],
        num_heads=4,
        window_size=6,
        max_position_embeddings=128,
        **SPECIAL,
    ),
    "mamba": made("MambaConfig", vocab_size=61, hidden_size=32, num_hidden_layers=2, state_size=8, **SPECIAL),
}
