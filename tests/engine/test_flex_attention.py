"""FlexAttention over trees: its block masks say what the rule says, and its numbers are those of the branches."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask

from tests.architectures import ARCHITECTURES
from tests.engine.groups import GROUPS
from tiebreak.engine.batch import TreeBatch, group_of
from tiebreak.engine.flex_attention import BLOCK, Scores, attend, block_mask, compiled, flex_plan_of
from tiebreak.engine.layout import build_tree, lengthened, round_length
from tiebreak.engine.logprobs import sequence_logps
from tiebreak.errors import RunError


def _allowed(mask: BlockMask, tokens: int) -> Tensor:
    """What the kernel would compute: full blocks whole, partial blocks by the rule, the others not at all."""
    blocks = -(-tokens // BLOCK)
    out = torch.zeros(tokens, tokens, dtype=torch.bool)
    at = torch.arange(tokens)
    rule = mask.mask_mod(torch.tensor(0), torch.tensor(0), at[:, None], at[None, :])
    for row in range(blocks):
        here = slice(row * BLOCK, (row + 1) * BLOCK)
        for counts, numbers, whole in (
            (mask.kv_num_blocks, mask.kv_indices, False),
            (mask.full_kv_num_blocks, mask.full_kv_indices, True),
        ):
            assert counts is not None
            assert numbers is not None
            for column in numbers[0, 0, row, : int(counts[0, 0, row])].tolist():
                there = slice(column * BLOCK, (column + 1) * BLOCK)
                out[here, there] = True if whole else rule[here, there]
    return out


def _rule(batch: TreeBatch, window: int | None) -> Tensor:
    at = torch.arange(batch.tokens)
    ancestor = (at[None, :] <= at[:, None]) & (at[:, None] < batch.subtree_end[None, :])
    near = batch.position[:, None] - batch.position[None, :] < (window or batch.tokens)
    return ancestor & near


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 400), st.integers(1, 200), st.integers(1, 200)), min_size=1, max_size=6),
    st.sampled_from([None, 1, 50, 129, 300]),
)
def test_block_mask_says_what_the_rule_says(shapes: list[tuple[int, int, int]], window: int | None) -> None:
    groups = [group_of([10 * i] + [1] * (p - 1), [[2] * a, [3] * b], row=i) for i, (p, a, b) in enumerate(shapes)]
    batch = build_tree(groups)
    mask = block_mask(batch.position, batch.subtree_end, window)
    assert torch.equal(_allowed(mask, batch.tokens), _rule(batch, window))


def test_far_apart_trees_share_no_block() -> None:
    batch = build_tree([group_of([i] * 200, [[50] * 56, [60] * 128]) for i in range(3)])  # three blocks a tree
    mask = block_mask(batch.position, batch.subtree_end, None)
    assert mask.full_kv_num_blocks is not None
    computed = mask.kv_num_blocks + mask.full_kv_num_blocks
    assert computed[0, 0].tolist() == [1, 2, 3] * 3


def _attended(length: int, head_dim: int = 16, scaling: float | None = None) -> Tensor:
    batch = build_tree([group_of([3] * (length - 6), [[4, 5, 6], [7, 8, 9]])])
    query, key, value = torch.randn(3, 1, 2, batch.tokens, head_dim, generator=torch.Generator().manual_seed(0))
    return attend(query, key, value, flex_plan_of(batch), Scores(scaling))


def test_one_compilation_does_for_all_lengths_in_one_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def counting(graph: Any, _inputs: Any) -> Any:
        made.append(graph)
        return graph.forward

    lengths = (130, 200, 300, 390, 700)
    expected = [_attended(length) for length in lengths]
    kernel = compiled(counting)
    monkeypatch.setattr("tiebreak.engine.flex_attention._kernel", lambda device: kernel)
    for length, plain in zip(lengths, expected, strict=True):
        torch.testing.assert_close(_attended(length), plain, atol=1e-5, rtol=1e-4)
    assert len(made) <= 2


def test_too_many_compilations_are_an_error_and_no_setting_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = torch._dynamo.config
    before = settings.recompile_limit
    monkeypatch.setattr("tiebreak.engine.flex_attention.COMPILED", 2)
    kernel = compiled("eager")
    monkeypatch.setattr("tiebreak.engine.flex_attention._kernel", lambda device: kernel)

    def attend_in_four_ways() -> None:
        for head_dim in (16, 24, 32, 40):
            _attended(200, head_dim, scaling=0.01 * head_dim)

    with pytest.raises(RunError, match="compiled 2 times") as caught:
        attend_in_four_ways()
    assert "train.path=padded" in str(caught.value)
    assert settings.recompile_limit == before


@pytest.mark.parametrize(
    "name", ["gpt2", "qwen2", "qwen3", "mistral_window", "gemma3_window", "gemma2_capped", "gpt_oss"]
)
def test_flex_attention_agrees_with_branches(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = ARCHITECTURES[name](), build_tree(GROUPS)
    model.requires_grad_(False)  # FlexAttention has a backward pass on a GPU only
    expected = sequence_logps(model, batch).logp

    monkeypatch.setattr("tiebreak.engine.attention.runs_here", lambda device: True)
    found = sequence_logps(model, lengthened(batch, round_length(batch.tokens))).logp
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-5)
