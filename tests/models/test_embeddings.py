"""More rows of embeddings: how they begin, that they alone are trained beside an adapter, that they are found again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from tests.architectures import ARCHITECTURES
from tiebreak.errors import InputError
from tiebreak.models.adapters import add_adapter, load_adapter, merge
from tiebreak.models.embeddings import check_vocabulary, resize, rows_of, train_new_rows
from tiebreak.models.save import save_weights
from tiebreak.recipe import AdapterSection

NAMES = ["gpt2", "llama", "qwen2", "gpt_neox", "phi"]  # tied and not, with a bias at the head
IDS = torch.tensor([[3, 60, 61, 64, 5]])


def _logits(model: PreTrainedModel) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(IDS).logits
        return logits


def _trained(name: str) -> PreTrainedModel:
    """A model with an adapter and new rows, after a few steps."""
    model = ARCHITECTURES[name]()
    first = resize(model, 65)
    add_adapter(model, AdapterSection(rank=2), base="x", seed=0)
    train_new_rows(model, first)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.01, weight_decay=0)
    for _ in range(3):
        model(IDS, labels=IDS).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model


@pytest.mark.parametrize("name", NAMES)
def test_new_rows_are_the_mean_and_nothing_else_changes(name: str) -> None:
    model, state = ARCHITECTURES[name](), torch.get_rng_state()
    table: Any = model.get_input_embeddings()
    old = table.weight.detach().clone()
    before = _logits_of_old(model)
    assert resize(model, 65) == 61
    assert rows_of(model) == model.config.vocab_size == 65
    widened: Any = model.get_input_embeddings()
    new = widened.weight
    assert torch.equal(new[:61], old)
    torch.testing.assert_close(new[61:], old.mean(0).expand(4, -1))
    torch.testing.assert_close(_logits_of_old(model)[..., :61], before, atol=1e-5, rtol=1e-5)
    assert resize(model, 20) == 65  # none is lost
    assert torch.equal(torch.get_rng_state(), state)


def _logits_of_old(model: PreTrainedModel) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(IDS[:, :2]).logits
        return logits


@pytest.mark.parametrize("name", NAMES)
def test_beside_an_adapter_only_new_rows_are_trained(name: str) -> None:
    model: Any = _trained(name)
    before: Any = ARCHITECTURES[name]()
    resize(before, 65)
    for now, then in (
        (model.get_input_embeddings(), before.get_input_embeddings()),
        (model.get_output_embeddings(), before.get_output_embeddings()),
    ):
        assert torch.equal(now.weight[:61], then.weight[:61])
        assert not torch.equal(now.weight[61:], then.weight[61:])


@pytest.mark.parametrize("name", NAMES)
def test_an_adapter_brings_its_rows_along(name: str, tmp_path: Path) -> None:
    trained = _trained(name)
    save_weights(trained, tmp_path)
    again = ARCHITECTURES[name]()
    load_adapter(again, tmp_path)
    assert rows_of(again) == 65
    assert torch.equal(_logits(again), _logits(trained))
    merged = merge(again)
    torch.testing.assert_close(_logits(merged), _logits(trained), atol=1e-4, rtol=1e-4)


def test_an_id_without_a_row_is_a_sentence() -> None:
    check_vocabulary(61, 60, "mine")
    with pytest.raises(InputError, match="ids go up to 61 in the data") as caught:
        check_vocabulary(61, 61, "mine")
    assert "model.resize_embeddings: true" in str(caught.value.fix)
