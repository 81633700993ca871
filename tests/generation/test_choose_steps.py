"""Which way of computing several texts a model is given."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.architectures import ARCHITECTURES
from tiebreak.generation.choose_steps import _same_in_any_company, choose_steps
from tiebreak.generation.steps import BatchedSteps


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen2", "qwen3", "mistral_window", "qwen2_window"])
def test_common_architectures_share_their_steps(name: str) -> None:
    assert choose_steps(ARCHITECTURES[name](), 4).together


@pytest.mark.parametrize("name", ["bloom", "mamba", "gemma2", "qwen2_moe"])
def test_models_that_cannot_share_their_steps_alike_are_computed_one_by_one_and_it_is_said(name: str) -> None:
    chosen = choose_steps(ARCHITECTURES[name](), 4)
    assert not chosen.together
    assert chosen.reason.startswith("requests one after the other")


def test_a_model_whose_rows_differ_is_found_out() -> None:
    model = ARCHITECTURES["qwen2"]()
    head = model.lm_head.forward

    def uneven(hidden: Tensor) -> Tensor:
        logits: Tensor = head(hidden)
        return logits + 1e-6 * torch.arange(hidden.shape[0])[:, None, None]

    model.lm_head.forward = uneven
    assert not _same_in_any_company(BatchedSteps(model, 4), list(range(3, 14)))
