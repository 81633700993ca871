"""Models of well-known shapes with random weights: speed does not depend on what the weights are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2Tokenizer,
    LlamaConfig,
    PretrainedConfig,
    Qwen2Config,
)

# Token ids are GPT-2's in all of them; the vocabulary keeps the size that the shape is known for.
SHAPES: Mapping[str, Callable[[], PretrainedConfig]] = {
    "tiny": lambda: GPT2Config(n_embd=64, n_layer=2, n_head=4, n_positions=1024),
    "gpt2": lambda: GPT2Config(),
    "smollm2-135m": lambda: LlamaConfig(
        vocab_size=50304,  # the real one has 49,152 rows; GPT-2's ids need more
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
    ),
    "qwen2-0.5b": lambda: Qwen2Config(
        vocab_size=151936,
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        max_position_embeddings=32768,
        tie_word_embeddings=True,
    ),
    "qwen2-1.5b": lambda: Qwen2Config(
        vocab_size=151936,
        hidden_size=1536,
        intermediate_size=8960,
        num_hidden_layers=28,
        num_attention_heads=12,
        num_key_value_heads=2,
        max_position_embeddings=32768,
        tie_word_embeddings=True,
    ),
    "llama3-8b": lambda: LlamaConfig(
        vocab_size=128256,
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=8192,
        tie_word_embeddings=False,
    ),
    "llama-1b": lambda: LlamaConfig(
        vocab_size=128256,
        hidden_size=2048,
        intermediate_size=8192,
        num_hidden_layers=16,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=64,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
    ),
}


def make_model_folder(shape: str, tokenizer: Path, folder: Path, device: str = "cpu") -> None:
    """Write a model of a shape, with weights drawn from a fixed seed, and GPT-2's tokenizer.

    Args:
        shape: a name of `SHAPES`.
        tokenizer: folder with GPT-2's `vocab.json` and `merges.txt`.
        folder: where the model is written.
        device: where the weights are drawn; a GPU draws large ones in a moment, and large ones are written in bfloat16.
    """
    config = SHAPES[shape]()
    config.bos_token_id = config.eos_token_id = config.pad_token_id = 50256
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    if sum(weight.numel() for weight in model.parameters()) > 4e9:
        model = model.to(torch.bfloat16)
    model.save_pretrained(folder)
    words = GPT2Tokenizer(
        vocab=str(tokenizer / "vocab.json"), merges=str(tokenizer / "merges.txt"), pad_token="<|endoftext|>"
    )
    words.save_pretrained(folder)
