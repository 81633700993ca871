"""Gradient checkpointing: layers that are computed again give the same gradients to the bit."""

from __future__ import annotations

import pytest
import torch

from tests.architectures import ARCHITECTURES
from tests.engine.gradients import gradients
from tests.engine.groups import BY_TREE, GROUPS
from tiebreak.engine.gradient_checkpointing import checkpoint_layers, recomputing
from tiebreak.engine.layout import build_tree
from tiebreak.engine.logprobs import computing, sequence_logps


@pytest.mark.parametrize("arithmetic", [None, torch.bfloat16])
@pytest.mark.parametrize("name", sorted(BY_TREE))
def test_layers_computed_again_give_the_same_gradients(name: str, arithmetic: torch.dtype | None) -> None:
    model, batch = ARCHITECTURES[name](), build_tree(GROUPS)
    expected = gradients(model, sequence_logps(model, batch, autocast=arithmetic).logp.sum())
    checkpoint_layers(model)
    recomputing(model)
    logp = sequence_logps(model, batch, autocast=arithmetic).logp.sum()
    with computing(model, batch):
        found = gradients(model, logp)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert torch.equal(found[name], gradient), name
