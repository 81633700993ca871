"""The model of a run: what is recorded of it, what is trained of it, and that a new adapter changes no fingerprint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.architectures import ARCHITECTURES
from tests.training.small import word_tokenizer
from tests.workflow.conftest import small_recipe
from tiebreak.models.adapters import has_adapter
from tiebreak.models.save import save_weights
from tiebreak.workflow.model import RunModel, prepare_model


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A model of one's own in a folder."""
    folder = tmp_path / "base"
    ARCHITECTURES["llama"]().save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    return folder


def trained(model: RunModel) -> int:
    return sum(p.numel() for p in model.model.parameters() if p.requires_grad)


def test_a_whole_model_is_trained_in_float32(base: Path) -> None:
    model = prepare_model(small_recipe(model__name=str(base)))
    assert {p.dtype for p in model.model.parameters()} == {torch.float32}
    assert (model.record.name, model.record.architecture) == (str(base), "LlamaForCausalLM")
    assert trained(model) == model.record.parameters
    assert model.adapter is None
    assert model.precision.name == "fp32"


def test_weights_are_held_as_the_recipe_says(base: Path) -> None:
    model = prepare_model(small_recipe(model__name=str(base), model__dtype="bfloat16"))
    assert {p.dtype for p in model.model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize(
    ("kind", "precision", "held"), [("lora", "bf16", True), ("dora", "bf16", False), ("lora", "fp32", False)]
)
def test_what_an_adapter_leaves_frozen_is_held_in_the_arithmetic(
    base: Path, kind: str, precision: str, held: bool
) -> None:
    plain = prepare_model(small_recipe(model__name=str(base)))
    model = prepare_model(small_recipe(model__name=str(base), model__adapter=kind, train__precision=precision))
    types = {p.dtype for path, p in model.model.named_parameters() if path.endswith("base_layer.weight")}
    assert types == {torch.bfloat16 if held else torch.float32}
    assert {p.dtype for p in model.model.parameters() if p.requires_grad} == {torch.float32}
    assert model.plain == (torch.bfloat16 if held else None)
    assert model.fingerprint == plain.fingerprint


def test_an_adapter_is_all_that_is_trained_and_the_fingerprint_is_the_base_s(base: Path) -> None:
    whole = prepare_model(small_recipe(model__name=str(base)))
    model = prepare_model(small_recipe(model__name=str(base), model__adapter={"kind": "dora", "rank": 4}))
    assert model.adapter is not None
    assert (model.adapter.kind, model.adapter.rank, model.adapter.continued) == ("dora", 4, None)
    assert trained(model) == model.adapter.parameters < int(whole.record.parameters or 0)
    assert model.fingerprint == whole.fingerprint
    assert model.adapter.base == str(base.resolve())  # found again from any folder


def test_a_new_adapter_is_drawn_from_the_seed(base: Path) -> None:
    def drawn(seed: int) -> list[torch.Tensor]:
        model = prepare_model(small_recipe(model__name=str(base), model__adapter="lora", train__seed=seed))
        return [p.detach() for p in model.model.parameters() if p.requires_grad]

    def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
        return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))

    assert same(drawn(1), drawn(1))
    assert not same(drawn(1), drawn(2))


@pytest.mark.parametrize("reference", ["cached", "live"])
def test_an_adapter_that_goes_on_keeps_its_shape(reference: str, base: Path, tmp_path: Path) -> None:
    first = prepare_model(small_recipe(model__name=str(base), model__adapter={"kind": "lora", "rank": 4}))
    folder = tmp_path / "adapter"
    folder.mkdir()
    save_weights(first.model, folder)
    word_tokenizer().save_pretrained(folder)
    changes = {"model__name": str(folder), "model__adapter": "lora", "train__reference": reference}
    second = prepare_model(small_recipe(**changes))
    assert second.adapter is not None
    assert (second.adapter.rank, second.adapter.continued) == (4, str(folder))
    assert trained(second) == trained(first)  # a live reference is not trained


def test_without_an_adapter_of_its_own_the_run_trains_the_merged_model(base: Path, tmp_path: Path) -> None:
    first = prepare_model(small_recipe(model__name=str(base), model__adapter="lora"))
    folder = tmp_path / "adapter"
    folder.mkdir()
    save_weights(first.model, folder)
    model = prepare_model(small_recipe(model__name=str(folder)))
    assert not has_adapter(model.model)
    assert model.adapter is None
    assert trained(model) == model.record.parameters
