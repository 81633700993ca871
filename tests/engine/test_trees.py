"""Trees give the log-probs, and the gradients, of one plain forward pass a sequence."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedModel

from tests.architectures import ARCHITECTURES
from tiebreak.engine.attention import attending_to_trees
from tiebreak.engine.logprobs import sequence_logps
from tiebreak.engine.padded import build_padded
from tiebreak.engine.selfcheck import look_back_windows, self_check
from tiebreak.engine.sequences import ScoredGroup, group_of
from tiebreak.engine.tree import build_tree

BY_TREE = {
    *("gpt2", "llama", "qwen2", "qwen3", "qwen2_moe", "gpt_neox", "opt", "phi", "phi3", "smollm3", "olmo2", "granite"),
    *("mistral_window", "gemma3_window", "qwen2_window"),
}
_RANDOM = random.Random(0)


def _tokens(n: int) -> list[int]:
    return [_RANDOM.randrange(3, 61) for _ in range(n)]


_PROMPT, _BEGINNING = _tokens(12), _tokens(3)
GROUPS = [
    # endings that begin alike, one of them the beginning of the others
    group_of(_PROMPT, [_BEGINNING + _tokens(9), _BEGINNING + _tokens(4), _BEGINNING]),
    group_of(_tokens(5), [_tokens(7), _tokens(1)]),  # an ending of one token
    group_of(_PROMPT[:8] + _tokens(3), [_tokens(14)]),  # one ending; a prompt that begins like another
    group_of(_PROMPT, [_tokens(2), _tokens(6)]),  # a prompt that stands twice
    group_of(_tokens(1), [_tokens(3), _tokens(3)]),  # a prompt of one token
]


def plain_logps(model: PreTrainedModel, groups: list[ScoredGroup]) -> Tensor:
    """One forward pass a sequence, nothing shared, nothing padded."""
    found = []
    for group in groups:
        for ending in group.endings:
            logits = model(input_ids=torch.tensor([group.prompt + ending])).logits[0].float()
            logp = torch.log_softmax(logits, dim=-1)
            first = len(group.prompt) - 1
            found.append(torch.stack([logp[first + i, token] for i, token in enumerate(ending)]).sum())
    return torch.stack(found)


@pytest.mark.parametrize("name", sorted(BY_TREE))
def test_trees_agree_with_plain_forward_passes(name: str) -> None:
    model = ARCHITECTURES[name]()
    with torch.no_grad():
        torch.testing.assert_close(
            sequence_logps(model, build_tree(GROUPS)).logp, plain_logps(model, GROUPS), rtol=1e-6, atol=2e-5
        )


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_the_self_check_chooses_a_path_that_is_right(name: str) -> None:
    model = ARCHITECTURES[name]()
    pairs = [group for group in GROUPS if len(group.endings) == 2]
    check = self_check(model, pairs, autocast=None, windows=look_back_windows(model.config))
    assert check.path == ("tree" if name in BY_TREE else "padded"), check.reason
    build = build_tree if check.path == "tree" else build_padded
    with torch.no_grad():
        torch.testing.assert_close(
            sequence_logps(model, build(pairs)).logp, plain_logps(model, pairs), rtol=1e-6, atol=2e-5
        )


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen2", "mistral_window", "gpt_neox"])
def test_gradients_agree_with_plain_forward_passes(name: str) -> None:
    model = ARCHITECTURES[name]()
    weights = torch.linspace(-1, 1, sum(len(group.endings) for group in GROUPS))

    def gradients(logps: Tensor) -> dict[str, Tensor]:
        model.zero_grad()
        (weights * logps).sum().backward()
        return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}

    plain = gradients(plain_logps(model, GROUPS))
    trees = gradients(sequence_logps(model, build_tree(GROUPS)).logp)
    assert plain.keys() == trees.keys()
    for key, expected in plain.items():
        # A bias of keys moves all scores of a query alike: its gradient is zero but for rounding.
        torch.testing.assert_close(trees[key], expected, rtol=1e-4, atol=1e-4, msg=lambda m, k=key: f"{k}: {m}")


_ENDINGS = st.lists(st.lists(st.integers(3, 6), min_size=1, max_size=6), min_size=1, max_size=8)
_MODEL = ARCHITECTURES["qwen2"]()


@settings(max_examples=60, deadline=None)
@given(prompt=st.lists(st.integers(3, 6), min_size=1, max_size=6), endings=_ENDINGS, share=st.booleans())
def test_any_tree_of_up_to_eight_sequences_agrees(prompt: list[int], endings: list[list[int]], share: bool) -> None:
    group = group_of(prompt, endings)
    with torch.no_grad():
        torch.testing.assert_close(
            sequence_logps(_MODEL, build_tree([group], share=share)).logp,
            plain_logps(_MODEL, [group]),
            rtol=1e-6,
            atol=2e-5,
        )


@given(prompt=st.lists(st.integers(3, 6), min_size=1, max_size=6), endings=_ENDINGS)
def test_a_tree_holds_each_prefix_once(prompt: list[int], endings: list[list[int]]) -> None:
    batch = build_tree([group_of(prompt, endings)])
    sequences = [tuple(prompt + ending) for ending in endings]
    prefixes = {sequence[: i + 1] for sequence in sequences for i in range(len(sequence))}
    assert batch.tokens == len(prefixes)
    # Every token's ancestors, by the rule k <= q < end[k], spell the prefix that it closes.
    ids, end = batch.input_ids.tolist(), batch.subtree_end.tolist()
    spelled = {tuple(ids[k] for k in range(q + 1) if q < end[k]) for q in range(len(ids))}
    assert spelled == prefixes


def test_sharing_saves_the_prompt() -> None:
    group = group_of(range(3, 53), [[3, 4], [4, 5]])
    assert build_tree([group]).tokens == 54
    assert build_tree([group], share=False).tokens == 104


def test_a_models_own_attention_is_restored() -> None:
    model = ARCHITECTURES["llama"]()
    before = model.config._attn_implementation
    with attending_to_trees(model):
        assert model.config._attn_implementation != before
    assert model.config._attn_implementation == before


@pytest.mark.parametrize("bad", [([], [[3]]), ([3], [[]]), ([3], [])])
def test_groups_without_tokens_are_refused(bad: tuple[list[int], list[list[int]]]) -> None:
    with pytest.raises(ValueError, match="at least one token"):
        group_of(*bad)
