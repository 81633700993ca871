"""Adapters: what they touch, that they are nothing before training, and that switched off they were never there."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Literal

import pytest
import torch
from transformers import PreTrainedModel

from tests.architectures import ARCHITECTURES
from tests.engine.gradients import assert_alike, gradients
from tests.engine.groups import GROUPS
from tiebreak.engine.gradient_checkpointing import checkpoint_layers, recomputing
from tiebreak.engine.layout import build_padded, build_tree
from tiebreak.engine.logprobs import computing, sequence_logps
from tiebreak.errors import InputError
from tiebreak.models.adapters import (
    REFERENCE,
    TRAINED,
    WEIGHTS,
    add_adapter,
    base_name,
    is_adapter_folder,
    load_adapter,
    merge,
    use_adapter,
    without_adapter,
)
from tiebreak.models.save import save_weights
from tiebreak.process.fast_linear import keeping_copies
from tiebreak.recipe import AdapterSection

Kind = Literal["lora", "dora", "rslora"]
KINDS: tuple[Kind, ...] = ("lora", "dora", "rslora")
BLOCKS = {
    "gpt2": {"c_attn", "c_proj", "c_fc"},
    "qwen2": {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"},
    "llama": {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"},
    "phi": {"q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2"},
    "gpt_neox": {"query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"},
}


def _logps(model: PreTrainedModel) -> torch.Tensor:
    with torch.no_grad():
        return sequence_logps(model, build_tree(GROUPS)).logp


def _shaken(model: PreTrainedModel, seed: int = 1) -> PreTrainedModel:
    """The model after what stands for training: all that is trained has moved."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def _adapted(name: str, kind: Kind = "lora") -> PreTrainedModel:
    model = ARCHITECTURES[name]()
    add_adapter(model, AdapterSection(kind=kind, rank=4), base="somewhere", seed=0)
    return model


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_auto_targets_are_all_linear_layers_of_the_blocks_and_no_other(name: str) -> None:
    model = ARCHITECTURES[name]()
    assert set(add_adapter(model, AdapterSection(), base="x", seed=0)) == BLOCKS[name]
    trained = [path for path, parameter in model.named_parameters() if parameter.requires_grad]
    assert trained
    assert all(f".{TRAINED}" in path for path in trained)
    assert not any("lm_head" in path or "embed" in path or "wte" in path for path in trained)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_an_adapter_is_nothing_at_first_and_nothing_when_off(name: str, kind: Kind) -> None:
    base = _logps(ARCHITECTURES[name]())
    model = _adapted(name, kind)
    torch.testing.assert_close(_logps(model), base, rtol=0, atol=1e-5)
    _shaken(model)
    assert (_logps(model) - base).abs().max() > 0.05
    with without_adapter(model):
        assert torch.equal(_logps(model), base)
    assert all(p.requires_grad == (f".{TRAINED}" in path) for path, p in model.named_parameters())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_the_merged_model_agrees_and_is_plain(name: str, kind: Kind) -> None:
    model = _shaken(_adapted(name, kind))
    expected = _logps(model)
    plain = merge(model)
    torch.testing.assert_close(_logps(plain), expected, rtol=0, atol=1e-4)
    assert plain.state_dict().keys() == ARCHITECTURES[name]().state_dict().keys()


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_adapter_comes_back_to_the_bit(kind: Kind, tmp_path: Path) -> None:
    model = _shaken(_adapted("gpt2", kind))
    save_weights(model, tmp_path)
    assert is_adapter_folder(tmp_path)
    assert base_name(tmp_path) == "somewhere"
    again = ARCHITECTURES["gpt2"]()
    load_adapter(again, tmp_path)
    assert torch.equal(_logps(again), _logps(model))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_by_trees_are_those_of_plain_batches(kind: Kind) -> None:
    slopes = []
    for build in (build_tree, build_padded):
        model = _shaken(_adapted("qwen2", kind))
        slopes.append(gradients(model, sequence_logps(model, build(GROUPS)).logp.sum()))
        assert slopes[-1].keys() == {path for path, p in model.named_parameters() if p.requires_grad}
    assert_alike(slopes[0], slopes[1], 3e-4)


@pytest.mark.parametrize("autocast", [None, torch.bfloat16])
def test_checkpointed_layers_give_the_same_gradients(autocast: torch.dtype | None) -> None:
    slopes = []
    for checkpointed in (False, True):
        model = ARCHITECTURES["qwen2"]()
        if checkpointed:
            checkpoint_layers(model)
        add_adapter(model, AdapterSection(rank=4), base="x", seed=0)
        _shaken(model)
        recomputing(model)
        batch = build_tree(GROUPS)
        with keeping_copies():
            loss = sequence_logps(model, batch, autocast=autocast).logp.sum()
            with computing(model, batch):
                slopes.append(gradients(model, loss))
    assert slopes[0].keys() == slopes[1].keys()
    for path, slope in slopes[0].items():
        assert torch.equal(slope, slopes[1][path]), path


def test_the_first_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(5)
    first = _adapted("llama")
    torch.manual_seed(6)
    second = _adapted("llama")
    for (path, a), (_, b) in zip(first.named_parameters(), second.named_parameters(), strict=True):
        assert torch.equal(a, b), path


def test_training_that_goes_on_has_the_old_adapter_as_reference(tmp_path: Path) -> None:
    old = _shaken(_adapted("qwen2"))
    save_weights(old, tmp_path)
    model = ARCHITECTURES["qwen2"]()
    load_adapter(model, tmp_path)
    load_adapter(model, tmp_path, name=REFERENCE, trainable=False)
    use_adapter(model, TRAINED)
    _shaken(model, seed=2)
    assert not torch.equal(_logps(model), _logps(old))
    with without_adapter(model):
        assert torch.equal(_logps(model), _logps(old))
    trained = [path for path, p in model.named_parameters() if p.requires_grad]
    assert trained
    assert not any(f".{REFERENCE}" in path for path in trained)
    save_weights(model, tmp_path / "..")  # only the trained one is written
    assert not any(REFERENCE in key for key in _keys(tmp_path / ".." / WEIGHTS))


def _keys(file: Path) -> list[str]:
    from safetensors import safe_open

    with safe_open(file, "pt") as opened:
        return list(opened.keys())


def test_a_layer_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(InputError) as caught:
        add_adapter(ARCHITECTURES["gpt2"](), AdapterSection(targets=("c_atn",)), base="x", seed=0)
    assert "no linear layer 'c_atn'" in str(caught.value)
    assert "did you mean 'c_attn'?" in str(caught.value)
    assert "c_attn, c_fc, c_proj" in str(caught.value)


def test_a_model_that_cannot_have_one_is_refused() -> None:
    with pytest.raises(InputError, match="cannot have this adapter"):
        add_adapter(ARCHITECTURES["mamba"](), AdapterSection(), base="x", seed=0)


def test_an_adapter_for_another_model_is_refused(tmp_path: Path) -> None:
    save_weights(_adapted("gpt2"), tmp_path)
    with pytest.raises((InputError, ValueError)):
        load_adapter(ARCHITECTURES["qwen2"](), tmp_path)


def test_no_adapter_touches_the_model_that_it_was_copied_from() -> None:
    model = ARCHITECTURES["llama"]()
    before = copy.deepcopy(model.state_dict())
    adapted = copy.deepcopy(model)
    add_adapter(adapted, AdapterSection(), base="x", seed=0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
