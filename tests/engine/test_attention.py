"""The model's attention is exchanged for the length of a block only."""

from __future__ import annotations

import pytest
import torch
from transformers import PreTrainedModel

from tests.architectures import ARCHITECTURES
from tests.causal_models import causal_model
from tiebreak.engine.attention import TreesUnsupported, attending_to_trees, plan_of, tree_attention
from tiebreak.engine.batch import group_of
from tiebreak.engine.layout import build_tree


def test_a_models_own_attention_is_restored() -> None:
    model = ARCHITECTURES["llama"]()
    before = model.config._attn_implementation
    with attending_to_trees(model):
        assert model.config._attn_implementation != before
    assert model.config._attn_implementation == before


def _attentions(model: PreTrainedModel) -> list[str | None]:
    return [part.config._attn_implementation for part in model.modules() if isinstance(part, PreTrainedModel)]


@pytest.mark.parametrize("name", ["gemma3", "got_ocr2", "mpt"])
def test_each_part_of_a_model_gets_back_its_own_attention(name: str) -> None:
    model = causal_model(name)
    before = _attentions(model)
    if name == "mpt":
        with pytest.raises(TreesUnsupported), attending_to_trees(model):
            pass
    else:
        with attending_to_trees(model):
            assert model.config.get_text_config()._attn_implementation != before[-1]
    assert _attentions(model) == before


def test_what_trees_do_not_compute_is_refused_by_its_name() -> None:
    batch = build_tree([group_of([3, 4], [[5], [6]])])
    q = torch.zeros(1, 2, batch.tokens, 4)
    layer = torch.nn.Identity()
    with pytest.raises(TreesUnsupported, match="position_bias"):
        tree_attention(layer, q, q, q, None, tree=plan_of(batch), position_bias=torch.zeros(1))
    tree_attention(layer, q, q, q, None, tree=plan_of(batch), position_ids=batch.position, position_bias=None)
