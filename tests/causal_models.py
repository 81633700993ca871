"""Every causal language model of the installed `transformers`, small and with random weights.

Sizes that most configurations share stand once; what a model wants otherwise is in `MORE`.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

NAMES: tuple[str, ...] = tuple(sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES))
VOCABULARY = 61

SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "emb_dim", "embedding_size"), 32),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "decoder_ffn_dim", "encoder_ffn_dim", "ffn_hidden_size"), 48),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "num_layers", "n_layers"), 2),
    **dict.fromkeys(("decoder_layers", "encoder_layers", "num_decoder_layers", "num_encoder_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4),
    **dict.fromkeys(("decoder_attention_heads", "encoder_attention_heads"), 4),
    **dict.fromkeys(("num_encoder_attention_heads", "num_decoder_attention_heads"), 4),
    "num_key_value_heads": 2,
    "head_dim": 8,
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_seq_len"), 128),
    "sliding_window": 6,
    # mixtures
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "num_experts_per_token"), 2),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size", "shared_intermediate_size"), 24),
    **dict.fromkeys(("expert_ffn_hidden_size", "moe_shared_expert_intermediate_size"), 24),
    **dict.fromkeys(("n_group", "topk_group"), 1),
    # latent attention
    **dict.fromkeys(("kv_lora_rank", "q_lora_rank", "o_lora_rank", "v_head_dim"), 16),
    **dict.fromkeys(("qk_rope_head_dim", "qk_nope_head_dim", "index_head_dim"), 8),
    "index_n_heads": 4,
    "index_topk": 64,
    # states and linear attention
    **dict.fromkeys(("mamba_n_heads", "mamba_num_heads", "linear_num_value_heads", "linear_num_heads"), 4),
    **dict.fromkeys(("mamba_d_head", "mamba_head_dim", "mamba_headdim"), 16),
    **dict.fromkeys(("mamba_n_groups", "mamba_ngroups", "mamba_num_groups"), 1),
    **dict.fromkeys(("mamba_d_state", "state_size", "ssm_state_size", "mamba_chunk_size", "mamba_dt_rank"), 8),
    **dict.fromkeys(("linear_key_head_dim", "linear_value_head_dim", "linear_head_dim"), 8),
    "linear_num_key_heads": 2,
}
"""What a configuration is given of it, where it has such a key."""

_LATENT = {"num_key_value_heads": 4}
_BOTH = {"layer_types": ["sliding_attention", "full_attention"]}
_LINEAR = {"layer_types": ["linear_attention", "full_attention"]}
_SEEN: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "vision_output_dim", "out_hidden_size", "projector_input_dim"), 32),
    **dict.fromkeys(("projector_output_dim", "adapter_in_dim", "adapter_out_dim", "adapter_input_size"), 32),
    **dict.fromkeys(("intermediate_size", "mlp_dim", "moe_intermediate_size"), 48),
    **dict.fromkeys(("num_hidden_layers", "depth", "num_blocks", "num_global_layers"), 1),
    **dict.fromkeys(("num_attention_heads", "num_heads", "attention_heads", "num_key_value_heads"), 4),
    **dict.fromkeys(("image_size", "crop_size"), 32),
    **dict.fromkeys(("patch_size", "head_dim", "num_position_embeddings", "output_channels", "num_mel_bins"), 8),
    "num_local_experts": 2,
}
"""The same for towers that see or hear, through which no token goes."""

_BYTES: dict[str, Any] = {
    **{key: SIZES[key] for key in ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers")},
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "head_dim": 8,
    "max_position_embeddings": 128,
}
_ROTATED = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]}

MORE: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("axk1", "axk2", "deepseek_v2", "deepseek_v3", "deepseek_v32", "glm4_moe_lite", "hy_v4"), _LATENT),
    "minicpm3": _LATENT,
    "youtu": _LATENT,
    **dict.fromkeys(("cohere2", "gemma3_text", "gpt_oss", "modernbert-decoder", "olmo3", "granite_swa"), _BOTH),
    **dict.fromkeys(("qwen3_next", "qwen3_5_text", "qwen3_5_moe_text", "olmo_hybrid", "granitemoehybrid"), _LINEAR),
    "bamba": {"attn_layer_indices": [1]},
    "blt": {
        "encoder_hash_byte_group_vocab": 64,
        "encoder_config": {**_BYTES, "hidden_size_global": 32, "num_hidden_layers": 1},
        "decoder_config": {**_BYTES, "hidden_size_global": 32, "num_hidden_layers": 1},
        "global_config": _BYTES,
        "patcher_config": _BYTES,
    },
    "codegen": {"rotary_dim": 4},
    "cohere_compass_text": {
        **_BOTH,
        "rope_parameters": {"sliding_attention": _ROTATED, "full_attention": _ROTATED},
    },
    "deepseek_v4": {
        "layer_types": ["compressed_sparse_attention", "heavily_compressed_attention"],
        "compress_rates": {"compressed_sparse_attention": 2, "heavily_compressed_attention": 4},
        "mlp_layer_types": ["moe", "moe"],
    },
    "dots1": {"n_shared_experts": 1, "num_experts_per_tok": 2},
    "dots3_note_text": {
        **_LATENT,
        "head_dim": 16,
        "layer_types": ["sliding_attention", "indexed_attention"],
        "per_layer_config": {},
    },
    "falcon_h1": {"mamba_d_ssm": 64, "mamba_n_heads": 4},
    "gemma2": {**_BOTH, "attn_logit_softcapping": 1.5},
    "gemma3n_text": {
        "num_hidden_layers": 4,
        "num_kv_shared_layers": 2,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "intermediate_size": [48] * 4,
        "activation_sparsity_pattern": [0.0] * 4,
        "vocab_size_per_layer_input": VOCABULARY,
        "hidden_size_per_layer_input": 8,
        "laurel_rank": 8,
    },
    "gemma4_text": {**_BOTH, "vocab_size_per_layer_input": VOCABULARY, "hidden_size_per_layer_input": 8},
    "glm_moe_dsa": {**_LATENT, "indexer_types": ["full", "full"]},
    "gptj": {"rotary_dim": 4},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 6},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1},
    "kimi_linear": {**_LATENT, **_LINEAR},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "longcat_flash": {**_LATENT, "zero_expert_num": 2, "moe_topk": 2},
    "mamba2": {"num_heads": 4, "head_dim": 16, "n_groups": 1, "chunk_size": 8},
    "nemotron_h": {"n_groups": 1, "chunk_size": 8},
    "reformer": {
        "is_decoder": True,
        "attention_head_size": 8,
        "attn_layers": ["local", "lsh"],
        "axial_pos_shape": [8, 16],
        "axial_pos_embds_dim": [16, 16],
        "feed_forward_size": 48,
        "num_buckets": 4,
        "local_attn_chunk_length": 8,
        "lsh_attn_chunk_length": 8,
    },
    "roc_bert": {
        "pronunciation_embed_dim": 8,
        "shape_embed_dim": 8,
        "pronunciation_vocab_size": 61,
        "shape_vocab_size": 61,
    },
    "xmod": {"default_language": "en_XX"},
    "zamba": {
        "num_hidden_layers": 4,
        "layers_block_type": ["linear_attention", "linear_attention", "hybrid", "hybrid"],
        "num_key_value_heads": 4,
        "attention_hidden_size": 64,
        "attention_head_dim": 16,
    },
    "zamba2": {
        "num_hidden_layers": 3,
        "layers_block_type": ["linear_attention", "linear_attention", "hybrid"],
        "num_key_value_heads": 4,
        "attention_hidden_size": 64,
        "attention_head_dim": 16,
        "n_mamba_heads": 4,
        "chunk_size": 8,
    },
    "dots3_note_vision_encoder": {"per_layer_config": {}},
    "mllama_text_model": {"cross_attention_layers": []},
    "zaya": {"num_experts_per_tok": 1},
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "clip_qkv": 8, "rope_theta": 1e4},
        "ffn_config": {"hidden_size": 32, "ffn_hidden_size": 48, "moe_num_experts": 4, "moe_top_k": 2},
    },
}

BY_TREE: frozenset[str] = frozenset(
    [
        "afmoe",
        "apertus",
        "arcee",
        "aria_text",
        "axk1",
        "beam",
        "biogpt",
        "bitnet",
        "cohere",
        "cohere2",
        "cohere2_moe",
        "cohere_compass_text",
        "ctrl",
        "cwm",
        "dbrx",
        "deepseek_v2",
        "deepseek_v3",
        "diffllama",
        "dots1",
        "ernie4_5",
        "ernie4_5_moe",
        "exaone4",
        "exaone_moe",
        "flex_olmo",
        "flint",
        "fuyu",
        "gemma",
        "gemma2",
        "gemma3",
        "gemma3_text",
        "gemma3n_text",
        "gemma4",
        "gemma4_text",
        "gemma4_unified",
        "gemma4_unified_text",
        "glm",
        "glm4",
        "glm4_moe",
        "glm4_moe_lite",
        "got_ocr2",
        "gpt-sw3",
        "gpt2",
        "gpt_bigcode",
        "gpt_neox",
        "gpt_oss",
        "granite",
        "granite_swa",
        "granitemoe",
        "granitemoe_swa",
        "granitemoeshared",
        "helium",
        "hrm_text",
        "hunyuan_v1_dense",
        "hunyuan_v1_moe",
        "hy_v3",
        "hyperclovax",
        "internlm3",
        "iquestcoder",
        "jais2",
        "jetmoe",
        "kolibri1",
        "laguna",
        "llama",
        "llama4",
        "llama4_text",
        "longcat_flash",
        "mellum",
        "mimo_v2_flash",
        "minicpm3",
        "minimax_m2",
        "minimax_m3_vl_text",
        "ministral",
        "ministral3",
        "mistral",
        "mixtral",
        "modernbert-decoder",
        "moshi",
        "moss_transcribe_diarize",
        "nanochat",
        "olmo",
        "olmo2",
        "olmo3",
        "olmoe",
        "opt",
        "persimmon",
        "phi",
        "phi3",
        "phi4_multimodal",
        "qwen2",
        "qwen2_moe",
        "qwen3",
        "qwen3_moe",
        "seed_oss",
        "smollm3",
        "solar_open",
        "starcoder2",
        "vaultgemma",
        "youtu",
    ]
)
"""Those that go by trees, at these sizes and lengths; the others go by padded batches."""

REFUSED: frozenset[str] = frozenset(
    [
        "bert",
        "bert-generation",
        "big_bird",
        "camembert",
        "cpmant",
        "data2vec-text",
        "electra",
        "ernie",
        "megatron-bert",
        "prophetnet",
        "reformer",
        "rembert",
        "roberta",
        "roberta-prelayernorm",
        "roc_bert",
        "roformer",
        "xlm",
        "xlm-roberta",
        "xlm-roberta-xl",
        "xlnet",
        "xmod",
    ]
)
"""Those that are no causal language models as they are made by default, or cannot be scored."""

NOT_READ_AGAIN: frozenset[str] = frozenset(["emu3", "mllama"])
"""Those that `transformers` would not load again after it wrote them."""

NOT_MADE: dict[str, str] = {
    "gemma3n": "its tower that sees needs timm: pip install timm; `gemma3n_text` is the part that writes",
    "gemma4_assistant": "it proposes tokens to another model, whose keys and values it needs",
    "gemma4_unified_assistant": "it proposes tokens to another model, whose keys and values it needs",
    "musicgen": "it writes sound, and transformers makes its decoder from another configuration only",
    "musicgen_melody": "it writes sound, and transformers makes its decoder from another configuration only",
}
"""Those that cannot be made here, and why."""

CHANGED_BY_LOADING: dict[str, str] = {
    "youtu": "transformers sets the embedding of the padding token to 0 when it loads the model, and the head shares it"
}
"""Those that are another model when they are loaded again, whoever wrote them, and why."""


def config_of(name: str, **more: Any) -> PreTrainedConfig:
    """The small configuration of a kind of models.

    Args:
        name: as `transformers` calls the kind.
        more: settings besides those of the table.
    """
    kind: Any = CONFIG_MAPPING[name]
    given = {**_fitting(kind, SIZES), **_parts(kind, name), **MORE.get(name, {}), **more}
    found: PreTrainedConfig = kind(**given)
    return found


def _fitting(kind: Any, sizes: dict[str, Any]) -> dict[str, Any]:
    """Those that a class of configurations knows, by its annotations and by other names for them."""
    known = {key for each in kind.__mro__ for key in vars(each).get("__annotations__", {})}
    known |= set(getattr(kind, "attribute_map", {}))
    return {key: value for key, value in sizes.items() if key in known}


def _parts(kind: Any, name: str) -> dict[str, Any]:
    """Small configurations of the parts of a model that also sees or hears."""
    parts = dict(getattr(kind, "sub_configs", None) or {})
    if not parts or parts.keys() <= MORE.get(name, {}).keys():
        return {}
    whole = kind()
    made = {}
    for key in parts:
        part = getattr(whole, key, None)
        if part is None or key in MORE.get(name, {}):
            continue
        sizes = SIZES if key == "text_config" else _SEEN
        own = MORE.get(part.model_type, {})
        made[key] = type(part)(**{**_fitting(type(part), sizes), **own})
    return made


def causal_model(name: str, **more: Any) -> PreTrainedModel:
    """A small model with random weights, larger than the usual start, so that a wrong mask shows; as `config_of`."""
    torch.manual_seed(0)
    build: Any = AutoModelForCausalLM.from_config
    model: PreTrainedModel = build(config_of(name, **more), dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.15)
    model.train(False)
    return model
