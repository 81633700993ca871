"""The bundled model as GGUF files, written with the package that the format's authors give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tiebreak.models.load import load_model, load_tokenizer

_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
TEMPLATE = "{% for m in messages %}{{ '<|im_start|>' + m.role + ': ' + m.content + '<|im_end|>' }}{% endfor %}"


def write_gguf(path: Path, *, kind: str = "F32", architecture: str = "qwen2", parts: int = 1) -> None:
    """Write the bundled model.

    Args:
        path: the file.
        kind: of the numbers in its matrices.
        architecture: that the file names.
        parts: of how many files it says that it is one.
    """
    from gguf import GGMLQuantizationType, GGUFWriter
    from gguf.quants import quantize

    model, tokenizer = load_model("bundled:base"), load_tokenizer("bundled:base")
    writer = GGUFWriter(path, architecture)
    _facts(writer, model, tokenizer)
    if parts > 1:
        writer.add_uint16("split.count", parts)
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight":  # the same as the embeddings
            continue
        array, own = tensor.numpy().astype(np.float32), _name(name)
        if kind == "F32" or array.ndim == 1:
            writer.add_tensor(own, array)
        elif kind == "F16":
            writer.add_tensor(own, array.astype(np.float16))
        else:
            type_ = GGMLQuantizationType[kind]
            writer.add_tensor(own, quantize(array, type_), raw_dtype=type_)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _facts(writer: Any, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    config: Any = model.config
    writer.add_name("tiny")
    writer.add_license("mit")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    written = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary = tokenizer.get_vocab()
    special = set(tokenizer.added_tokens_decoder)
    ids = sorted(vocabulary.values())
    texts = {id_: text for text, id_ in vocabulary.items()}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([texts[id_] for id_ in ids])
    writer.add_token_types([3 if id_ in special else 1 for id_ in ids])
    writer.add_token_merges([" ".join(pair) for pair in written["model"]["merges"]])
    writer.add_bos_token_id(tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_chat_template(TEMPLATE)


def _name(name: str) -> str:
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    _, _, layer, rest = name.split(".", 3)
    module, _, what = rest.rpartition(".")
    return f"blk.{layer}.{_NAMES[module]}.{what}"
