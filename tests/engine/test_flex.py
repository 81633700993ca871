"""FlexAttention over trees: its block masks say what the rule says, and its numbers are those of the branches."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask

from tests.architectures import ARCHITECTURES
from tests.engine.test_trees import GROUPS
from tiebreak.engine.flex import BLOCK, block_mask
from tiebreak.engine.logprobs import sequence_logps
from tiebreak.engine.sequences import group_of
from tiebreak.engine.tree import TreeBatch, build_tree, lengthened, round_length


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


@pytest.mark.parametrize("name", ["gpt2", "qwen2", "qwen3", "mistral_window", "gemma3_window"])
def test_flex_attention_agrees_with_branches(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = ARCHITECTURES[name](), build_tree(GROUPS)
    model.requires_grad_(False)  # FlexAttention has a backward pass on a GPU only
    expected = sequence_logps(model, batch).logp

    monkeypatch.setattr("tiebreak.engine.attention.runs_here", lambda device: True)
    found = sequence_logps(model, lengthened(batch, round_length(batch.tokens))).logp
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-5)


def test_lengthening_changes_no_number() -> None:
    model, batch = ARCHITECTURES["qwen2"](), build_tree(GROUPS)
    longer = lengthened(batch, 256)
    assert longer.tokens == 256
    torch.testing.assert_close(sequence_logps(model, longer).logp, sequence_logps(model, batch).logp)


@given(st.integers(1, 10**6))
def test_lengths_are_few_and_little_is_added(tokens: int) -> None:
    length = round_length(tokens)
    assert tokens <= length <= max(128, tokens * 9 // 8 + 128)
    assert length % 128 == 0
    assert len({round_length(n) for n in range(4097, 8193)}) == 8
