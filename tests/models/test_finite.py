"""Weights that are no numbers are named before anything is computed with them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from tests.architectures import ARCHITECTURES
from tests.workflow.conftest import small_recipe
from tiebreak.errors import InputError
from tiebreak.models.finite import check_finite
from tiebreak.models.load import load_model, load_tokenizer
from tiebreak.workflow.train import train


@pytest.mark.parametrize("name", ["gpt2", "qwen2"])
def test_a_sound_model_passes(name: str) -> None:
    check_finite(ARCHITECTURES[name](), name)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_broken_tensor_is_named_with_how_much_of_it_is_broken(value: float) -> None:
    model = ARCHITECTURES["gpt2"]()
    with torch.no_grad():
        model.get_parameter("transformer.h.0.ln_1.weight")[1:3] = value
    with pytest.raises(InputError) as refused:
        check_finite(model, "someone/model")
    size = model.get_parameter("transformer.h.0.ln_1.weight").numel()
    assert f"transformer.h.0.ln_1.weight (2 of {size:,} numbers)." in refused.value.what
    assert refused.value.where == "someone/model"


def test_of_many_broken_tensors_a_few_are_named() -> None:
    model = ARCHITECTURES["gpt2"]()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(math.nan)
    with pytest.raises(InputError, match="more tensors"):
        check_finite(model, "x")


def test_a_run_on_broken_weights_ends_before_its_first_step_and_blames_no_rate(tmp_path: Path) -> None:
    model, tokenizer = load_model("bundled:base"), load_tokenizer("bundled:base")
    with torch.no_grad():
        model.get_parameter("model.layers.0.mlp.up_proj.weight")[0, 0] = math.nan
    model.save_pretrained(tmp_path / "broken")
    tokenizer.save_pretrained(tmp_path / "broken")
    assert AutoTokenizer.from_pretrained(tmp_path / "broken").eos_token
    with pytest.raises(InputError, match=r"model\.layers\.0\.mlp\.up_proj\.weight \(1 of ") as refused:
        train(small_recipe(model__name=str(tmp_path / "broken")), out=tmp_path / "run")
    assert not {"learning_rate", "checkpoint"} & set(str(refused.value.fix).split())
    assert not (tmp_path / "run").exists()
