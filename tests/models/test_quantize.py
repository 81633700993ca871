"""Weights in few bits: they train by trees as by plain batches, and what is missing is one sentence."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from tests.architectures import ARCHITECTURES
from tests.engine.test_trees import GROUPS
from tiebreak.engine.logprobs import sequence_logps
from tiebreak.engine.padded import build_padded
from tiebreak.engine.products import keeping_copies
from tiebreak.engine.tree import build_tree
from tiebreak.errors import InputError
from tiebreak.models.adapters import add_adapter, without_adapter
from tiebreak.models.load import load_model
from tiebreak.models.quantize import Quantization, check_quantization, compute_in
from tiebreak.recipe import AdapterSection, Recipe

pytest.importorskip("bitsandbytes")
NAMES = {"nf4": "Linear4bit", "int8": "Linear8bitLt"}


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
        trees.sum().backward()
    slopes = [p.grad for p in model.parameters() if p.requires_grad]
    assert all(slope is not None and torch.isfinite(slope).all() for slope in slopes)
    padded = sequence_logps(model, build_padded(GROUPS), autocast=autocast).logp
    torch.testing.assert_close(trees, padded, rtol=0, atol=1e-4 if autocast is None else 0.1)


@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_scoring_first_changes_nothing(kind: Quantization, tmp_path: Path) -> None:
    ARCHITECTURES["llama"]().save_pretrained(tmp_path)
    model = load_model(str(tmp_path), quantize=kind)
    add_adapter(model, AdapterSection(rank=4), base="x", seed=0)
    with torch.no_grad(), without_adapter(model):
        first = sequence_logps(model, build_tree(GROUPS)).logp
    sequence_logps(model, build_tree(GROUPS)).logp.sum().backward()
    with torch.no_grad(), without_adapter(model):
        assert torch.equal(sequence_logps(model, build_tree(GROUPS)).logp, first)


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
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("tiebreak.models.quantize.find_spec", lambda name: None)
    with pytest.raises(InputError) as caught:
        check_quantization()
    assert 'pip install "tiebreak[quant]"' in str(caught.value)
