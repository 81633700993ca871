"""Sizes worked out from a configuration, against models that were made of it and measured."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.architectures import ARCHITECTURES
from tiebreak.models.adapters import add_adapter
from tiebreak.models.load import load_model
from tiebreak.models.size import activation_bytes, forward_flops, shape_of, training_flops, training_size
from tiebreak.recipe import AdapterSection

KNOWN = [name for name in ARCHITECTURES if name != "mamba"]
# The GPT-2 that everybody has, by its published configuration.
GPT2 = {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 50257}


@pytest.mark.parametrize("name", KNOWN)
def test_parameters_are_those_of_the_model(name: str) -> None:
    model = ARCHITECTURES[name]()
    shape = shape_of(model.config.to_dict())
    assert shape is not None
    assert shape.parameters == sum(parameter.numel() for parameter in model.parameters())


def test_published_models() -> None:
    gpt2 = shape_of(GPT2)
    assert gpt2 is not None
    assert gpt2.parameters == 124_439_808
    qwen = shape_of(
        {
            "model_type": "qwen2",
            "hidden_size": 896,
            "num_hidden_layers": 24,
            "num_attention_heads": 14,
            "num_key_value_heads": 2,
            "intermediate_size": 4864,
            "vocab_size": 151936,
            "tie_word_embeddings": True,
        }
    )
    assert qwen is not None
    assert qwen.parameters == 494_032_768


def test_what_is_no_such_model_has_no_shape() -> None:
    assert shape_of(ARCHITECTURES["mamba"]().config.to_dict()) is None
    assert shape_of({"model_type": "nonsense"}) is None


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen3", "gpt_neox", "opt", "gemma2"])
@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_adapter_parameters_are_those_of_peft(name: str, kind: str) -> None:
    model = ARCHITECTURES[name]()
    shape = shape_of(model.config.to_dict())
    assert shape is not None
    add_adapter(model, AdapterSection(kind=kind, rank=3), base="x", seed=0)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert shape.adapter_parameters(3, dora=kind == "dora") == trained


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen2", "gpt_neox"])
def test_activations_are_about_what_pytorch_keeps(name: str, tmp_path: Path) -> None:
    ARCHITECTURES[name]().save_pretrained(tmp_path)
    model = load_model(str(tmp_path))  # as a run has it
    shape = shape_of(model.config.to_dict())
    assert shape is not None

    def kept(tokens: int) -> int:
        found: dict[int, int] = {}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            if not isinstance(tensor, torch.nn.Parameter):
                found[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        ids = torch.arange(tokens)[None] % 60
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            torch.log_softmax(model(ids, use_cache=False).logits.float(), -1).sum()
        return sum(found.values())

    a_token = (kept(96) - kept(32)) / 64
    assert a_token / 1.7 < activation_bytes(shape) < a_token * 1.7


def test_the_parts_of_training() -> None:
    shape = shape_of(GPT2)
    assert shape is not None
    n = shape.parameters
    whole = training_size(shape)
    assert (whole.weights, whole.gradients, whole.optimizer) == (4 * n, 4 * n, 8 * n)
    assert whole.checkpoint == 12 * n
    assert training_size(shape, live_reference=True).weights == 8 * n
    adapter = training_size(shape, trained=1000)
    assert (adapter.gradients, adapter.optimizer, adapter.model) == (4000, 8000, 4000)
    assert training_size(shape, trained=1000, quantized_bytes=0.52).weights < adapter.weights
    assert training_size(shape, recomputed=True).a_token < whole.a_token
    assert training_size(shape, arithmetic="bf16").a_token < whole.a_token


def test_flops_of_passes() -> None:
    shape = shape_of(GPT2)
    assert shape is not None
    forward = forward_flops(shape, 10)
    assert 2 * 10 * 120e6 < forward < 2 * 10 * 125e6
    assert training_flops(shape, 10) == 3 * forward
    assert training_flops(shape, 10, adapter=True) == 2 * forward
    assert training_flops(shape, 10, recomputed=True) == 4 * forward
