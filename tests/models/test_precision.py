"""Precision follows the setting and the machine; weights in few bits train by trees as by plain batches."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from tests.architectures import ARCHITECTURES
from tests.engine.groups import GROUPS
from tiebreak.engine.layout import build_padded, build_tree
from tiebreak.engine.logprobs import sequence_logps
from tiebreak.errors import InputError
from tiebreak.models.adapters import add_adapter, without_adapter
from tiebreak.models.load import load_model
from tiebreak.models.precision import Quantization, check_quantization, choose_precision, compute_in, hold_matrices_in
from tiebreak.process.fast_linear import keeping_copies
from tiebreak.recipe import AdapterSection, Recipe

quantized = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="pip install 'tiebreak[quant]'")
NAMES = {"nf4": "Linear4bit", "int8": "Linear8bitLt"}


@quantized
@pytest.mark.parametrize("autocast", [None, torch.bfloat16])
@pytest.mark.parametrize("kind", ["nf4", "int8"])
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_trees_and_plain_batches_agree(
    name: str, kind: Quantization, autocast: torch.dtype | None, tmp_path: Path
) -> None:
    ARCHITECTURES[name]().save_pretrained(tmp_path)
    model = load_model(str(tmp_path), quantize=kind)
    compute_in(model, autocast or torch.float32)
    add_adapter(model, AdapterSection(rank=4), base=str(tmp_path), seed=0)
    assert NAMES[kind] in {type(module).__name__ for module in model.modules()}
    with keeping_copies():
        trees = sequence_logps(model, build_tree(GROUPS), autocast=autocast).logp
        torch.autograd.backward(trees.sum())
    slopes = [p.grad for p in model.parameters() if p.requires_grad]
    assert all(slope is not None and torch.isfinite(slope).all() for slope in slopes)
    padded = sequence_logps(model, build_padded(GROUPS), autocast=autocast).logp
    torch.testing.assert_close(trees, padded, rtol=0, atol=1e-4 if autocast is None else 0.1)


@quantized
@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_scoring_first_changes_nothing(kind: Quantization, tmp_path: Path) -> None:
    ARCHITECTURES["llama"]().save_pretrained(tmp_path)
    model = load_model(str(tmp_path), quantize=kind)
    add_adapter(model, AdapterSection(rank=4), base="x", seed=0)
    with torch.no_grad(), without_adapter(model):
        first = sequence_logps(model, build_tree(GROUPS)).logp
    torch.autograd.backward(sequence_logps(model, build_tree(GROUPS)).logp.sum())
    with torch.no_grad(), without_adapter(model):
        assert torch.equal(sequence_logps(model, build_tree(GROUPS)).logp, first)


@quantized
def test_quantized_weights_are_near_the_whole_ones(tmp_path: Path) -> None:
    whole = ARCHITECTURES["llama"]()
    whole.save_pretrained(tmp_path)
    with torch.no_grad():
        expected = sequence_logps(whole, build_tree(GROUPS)).logp
        away = {
            kind: (sequence_logps(load_model(str(tmp_path), quantize=kind), build_tree(GROUPS)).logp - expected)
            .abs()
            .max()
            .item()
            for kind in ("nf4", "int8")
        }
    assert 0 < away["int8"] < away["nf4"] < 10


def test_quantized_weights_alone_cannot_be_trained() -> None:
    with pytest.raises(InputError, match="add an adapter"):
        Recipe().with_settings({"model.quantize": "nf4"})


def test_the_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiebreak.models.precision.find_spec", lambda name: None)
    with pytest.raises(InputError) as caught:
        check_quantization()
    assert 'pip install "tiebreak[quant]"' in str(caught.value)


def test_precision_follows_the_setting_and_the_machine() -> None:
    cpu = torch.device("cpu")
    assert choose_precision("bf16", cpu, 10).autocast == torch.bfloat16
    assert choose_precision("fp32", cpu, 10**9).autocast is None
    assert choose_precision("auto", cpu, 10**6).name == "fp32"  # too small for the casts to pay


@pytest.mark.parametrize("path", ["tree", "padded"])
@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma2_capped"])
def test_frozen_matrices_in_bfloat16_change_no_bit_of_what_is_computed_in_it(name: str, path: str) -> None:
    batch = (build_tree if path == "tree" else build_padded)(GROUPS)
    found = []
    for held in (False, True):
        model = ARCHITECTURES[name]()
        add_adapter(model, AdapterSection(rank=4, alpha=64), base=name, seed=0)
        torch.manual_seed(0)
        for weight in model.parameters():
            if weight.requires_grad:
                torch.nn.init.normal_(weight, std=0.1)
        if held:
            hold_matrices_in(model, torch.bfloat16)
            types = {path: p.dtype for path, p in model.named_parameters()}
            assert {types[path] for path in types if "lora_" in path} == {torch.float32}
            assert {types[path] for path in types if path.endswith("base_layer.weight")} == {torch.bfloat16}
            assert model.get_input_embeddings().weight.dtype == torch.float32
        logps = sequence_logps(model, batch, autocast=torch.bfloat16).logp
        torch.autograd.backward(logps.sum())
        found.append((logps, [p.grad for p in model.parameters() if p.requires_grad]))
    (plain, slopes), (same, of_held) = found
    assert torch.equal(plain, same)
    for mine, theirs in zip(slopes, of_held, strict=True):
        assert mine is not None
        assert theirs is not None
        assert mine.dtype == torch.float32
        assert torch.equal(mine, theirs)
