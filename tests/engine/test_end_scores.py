"""Scores off the last tokens of a tree batch: those of each text alone, and the size that their rounding goes by."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.classifiers import BY_TREE, PADDED
from tests.engine.groups import GROUPS
from tiebreak.engine.attention import TreesUnsupported
from tiebreak.engine.end_scores import end_scores, one_score
from tiebreak.engine.layout import build_tree
from tiebreak.engine.rope import rope_lengths


@torch.no_grad()
@pytest.mark.parametrize("name", BY_TREE)
def test_a_score_is_that_of_the_text_alone(name: str) -> None:
    model = BY_TREE[name]()
    found = end_scores(model, build_tree(GROUPS, lengths=rope_lengths(model)))
    alone = []
    for group in GROUPS:
        for completion in group.completions:
            fresh = BY_TREE[name]()  # dynamic frequencies remember what was longest
            alone.append(one_score(fresh(input_ids=torch.tensor([group.prompt + completion])).logits)[0])
    torch.testing.assert_close(found.score, torch.stack(alone), rtol=1e-5, atol=1e-5)
    assert len(set(found.score.tolist())) == len(alone)
    assert bool((found.size >= found.score.abs()).all())  # no head here has a bias


def test_of_two_labels_the_second_less_the_first_counts() -> None:
    assert one_score(torch.tensor([[1.0, 3.5], [2.0, -1.0]])).tolist() == [2.5, -3.0]
    assert one_score(torch.tensor([[1.0], [2.0]])).tolist() == [1.0, 2.0]


@torch.no_grad()
def test_the_size_is_the_sum_of_the_sizes_of_the_products() -> None:
    model: Any = BY_TREE["llama, two labels"]()
    seen = []
    model.score.register_forward_pre_hook(lambda _head, given: seen.append(given[0]))
    found = end_scores(model, build_tree(GROUPS[:1]))
    weight = model.score.weight[1] - model.score.weight[0]
    torch.testing.assert_close(found.size, (seen[0] * weight).abs().sum(1))


@pytest.mark.parametrize("head", [None, nn.Identity(), nn.Linear(32, 3)])
def test_a_model_without_a_head_for_one_score_is_none_for_trees(head: nn.Module | None) -> None:
    model: Any = BY_TREE["llama"]()
    model.score = head
    with pytest.raises(TreesUnsupported, match="no linear head over the last token"):
        end_scores(model, build_tree(GROUPS))
    with pytest.raises(TreesUnsupported, match="no linear head over the last token"):
        end_scores(PADDED["bert"](), build_tree(GROUPS))
