"""The untrained tiny assistant: a Qwen2 of about 1.9 million weights, drawn from a seed.

Knows the shape of the model; training happens elsewhere, by the same command that users have.
"""

from __future__ import annotations

from pathlib import Path


def initial_model(folder: Path, seed: int) -> None:
    """Write the randomly initialised model and its configuration beside the tokenizer.

    Args:
        folder: where the tokenizer already is; its vocabulary sets the size of the embeddings.
        seed: of the weights. The random state of torch is left as it was.
    """
    import torch
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.05,  # nearer to 1 / sqrt(hidden size) than the 0.02 meant for wide models
        dtype="float32",
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2ForCausalLM(config)
    model.save_pretrained(str(folder))
