"""Frequencies that depend on lengths: each row is as alone in a fresh model, whatever stands beside or before it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.architectures import ARCHITECTURES, GROUPED, made
from tests.engine.gradients import assert_alike, gradients
from tests.engine.groups import plain_logps
from tiebreak.engine.batch import PaddedBatch, RopeLengths, ScoredGroup, TreeBatch, group_of
from tiebreak.engine.gradient_checkpointing import checkpoint_layers, recomputing
from tiebreak.engine.logprobs import computing, sequence_logps
from tiebreak.engine.microbatch import BatchPath, build_batch, split
from tiebreak.engine.reference import ReferenceCache, reference_scores
from tiebreak.engine.rope import rope_lengths
from tiebreak.engine.score import Scorer, score_groups
from tiebreak.engine.self_check import self_check
from tiebreak.errors import InputError
from tiebreak.models.adapters import add_adapter, without_adapter
from tiebreak.recipe import AdapterSection

Make = Callable[[], PreTrainedModel]
CPU = torch.device("cpu")
BOUND = 24
LONG: dict[str, Any] = {"rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 4}
LONG |= {"long_factor": [1.5, 3.0, 7.0, 12.0], "original_max_position_embeddings": BOUND}
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 3.0}
SHORT: dict[str, Any] = {**GROUPED, "max_position_embeddings": BOUND}
PLAIN_ROPE = {"rope_type": "default", "rope_theta": 1e4}
EXPERTS = {"num_local_experts": 2, "num_experts_per_tok": 1}

MODELS: dict[str, Make] = {
    "phi3_longrope": made("Phi3Config", **GROUPED, rope_parameters=LONG, original_max_position_embeddings=BOUND),
    "phimoe_longrope": made(
        "PhimoeConfig", **GROUPED, **EXPERTS, rope_parameters=LONG | {"short_mscale": 1.1, "long_mscale": 1.4}
    ),
    "llama_dynamic": made("LlamaConfig", **SHORT, rope_parameters=DYNAMIC),
    "gemma3_by_layer": made(
        "Gemma3TextConfig",
        **SHORT,
        head_dim=8,
        sliding_window=6,
        layer_types=["sliding_attention", "full_attention", "full_attention"],
        rope_parameters={"sliding_attention": PLAIN_ROPE, "full_attention": DYNAMIC},
    ),
}

_draw = random.Random(7)


def _tokens(n: int) -> list[int]:
    return [_draw.randrange(3, 61) for _ in range(n)]


_PROMPT = _tokens(14)
GROUPS = [
    group_of(_PROMPT, [_tokens(BOUND - 14), _tokens(BOUND - 13)]),  # one ends at the bound, one a token past it
    group_of(_PROMPT, [_tokens(30), _tokens(3)]),  # the same prompt, on both sides
    group_of(_tokens(5), [_tokens(4), _tokens(2)]),  # short
    group_of(_tokens(40), [_tokens(9), _tokens(9)]),  # long, of one length
]


def alone(make: Make, groups: Sequence[ScoredGroup]) -> Tensor:
    """Plain forward passes, each of a fresh model."""
    with torch.no_grad():
        return torch.cat(
            [plain_logps(make(), [group_of(g.prompt, [completion])]) for g in groups for completion in g.completions]
        )


@pytest.mark.parametrize("path", ["tree", "padded"])
@pytest.mark.parametrize("name", MODELS)
def test_a_row_is_as_alone_in_whatever_mix_and_order(name: str, path: BatchPath) -> None:
    expected = alone(MODELS[name], GROUPS).view(len(GROUPS), 2)
    model = MODELS[name]()
    lengths = rope_lengths(model)
    for order in ([0, 1, 2, 3], [3, 1, 2, 0], [3], [2], [1, 0], [2]):
        batch = build_batch([GROUPS[i] for i in order], path, CPU, lengths)
        with torch.no_grad():
            found = sequence_logps(model, batch).logp.view(-1, 2)
        torch.testing.assert_close(found, expected[order], rtol=1e-6, atol=2e-5)


@pytest.mark.parametrize("path", ["tree", "padded"])
@pytest.mark.parametrize("name", MODELS)
def test_scores_do_not_depend_on_the_budget(name: str, path: BatchPath, tmp_path: Path) -> None:
    model = MODELS[name]()
    scores = [score_groups(model, GROUPS, Scorer(path, budget=budget)).logp for budget in (1, 90, 4096)]
    cached, _ = reference_scores(model, GROUPS, Scorer(path), fingerprint="x", cache=ReferenceCache(tmp_path))
    expected = alone(MODELS[name], GROUPS).view(len(GROUPS), 2)
    for found in (*scores, cached.logp):
        torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-6, atol=2e-5)


@pytest.mark.parametrize("name", ["phi3_longrope", "llama_dynamic"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradients_are_those_of_each_row_alone(name: str, checkpointing: bool) -> None:
    model = MODELS[name]()
    rows = [group_of(g.prompt, [completion]) for g in GROUPS for completion in g.completions]
    rows.sort(key=lambda row: row.longest)  # a model of transformers forgets nothing shorter
    expected = gradients(model, plain_logps(model, rows).sum())
    trained = MODELS[name]()
    if checkpointing:
        checkpoint_layers(trained)
        recomputing(trained)
    for path in ("tree", "padded"):
        batch = build_batch(GROUPS, path, CPU, rope_lengths(trained))
        loss = sequence_logps(trained, batch).logp.sum()
        with computing(trained, batch):
            assert_alike(gradients(trained, loss), expected, 1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_by_trees_after_the_self_check(name: str) -> None:
    check = self_check(MODELS[name](), GROUPS, autocast=None, longest=GROUPS[3])
    assert check.path == "tree", check.reason


def test_the_reference_with_its_adapter_off_is_the_model_before() -> None:
    model = MODELS["llama_dynamic"]()
    expected = alone(MODELS["llama_dynamic"], GROUPS)
    add_adapter(model, AdapterSection(rank=4), base="somewhere", seed=0)
    batch = build_batch(GROUPS, "tree", CPU, rope_lengths(model))
    with torch.no_grad(), without_adapter(model):
        torch.testing.assert_close(sequence_logps(model, batch).logp, expected, rtol=1e-6, atol=2e-5)


def test_a_model_is_left_in_its_first_state() -> None:
    model = MODELS["llama_dynamic"]()
    before = model.model.rotary_emb.inv_freq.clone()
    sequence_logps(model, build_batch(GROUPS, "padded", CPU))
    assert torch.equal(model.model.rotary_emb.inv_freq, before)
    assert "forward" not in vars(model.model.rotary_emb)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_tested_here_matters(name: str) -> None:
    model = MODELS[name]()
    short, long = GROUPS[2], GROUPS[3]
    ids = torch.zeros(2, 49, dtype=torch.int64)
    rows = [short.prompt + short.completions[0], long.prompt + long.completions[0]]
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    with torch.no_grad():
        mixed = model(ids, attention_mask=(ids > 0).long()).logits[0, : len(rows[0])]
        single = MODELS[name]()(torch.tensor([rows[0]])).logits[0]
    assert (mixed - single).abs().max() > 1e-3


def test_only_sequences_of_equal_frequencies_share_a_tree() -> None:
    model = MODELS["phi3_longrope"]()
    lengths = rope_lengths(model)
    assert lengths == RopeLengths((BOUND,), None)
    batch = build_batch(GROUPS[:2], "tree", CPU, lengths)
    assert isinstance(batch, TreeBatch)
    assert batch.tokens == 2 * 14 + sum(len(c) for g in GROUPS[:2] for c in g.completions)
    assert batch.rope_spans == ((1, 14 + 10 + 3), (BOUND + 1, batch.tokens))
    for budget in (1, 50, 200):  # what is not shared counts
        for part in split(GROUPS, budget, "tree", lengths):
            whole = build_batch([GROUPS[i] for i in part], "tree", CPU, lengths)
            assert len(part) == 1 or whole.tokens <= budget


@pytest.mark.parametrize("length", [1, 23, 24, 25, 26, 40, 41])
def test_lengths_are_alike_as_the_frequencies_are(length: int) -> None:
    assert RopeLengths((24,)).of(length) == (1 if length <= 24 else 25)
    assert RopeLengths((), 24).of(length) == (1 if length <= 24 else length)
    assert RopeLengths((24, 40)).of(length) == (1 if length <= 24 else 25 if length <= 40 else 41)


def test_other_models_have_no_such_lengths() -> None:
    yarn = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 32}
    for make in (ARCHITECTURES["llama"], ARCHITECTURES["gpt2"], made("Qwen2Config", **GROUPED, rope_parameters=yarn)):
        assert rope_lengths(make()) is None


class OwnRotary(torch.nn.Module):
    """Rotary embeddings that say nothing of their kind."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = [inner]

    def forward(self, x: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        cosines, sines = self.inner[0](x, position_ids)
        return cosines, sines


def test_code_of_its_own_is_refused_where_it_matters() -> None:
    model = MODELS["phi3_longrope"]()
    model.model.rotary_emb = OwnRotary(model.model.rotary_emb)
    short = build_batch(GROUPS[2:3], "padded", CPU)
    assert isinstance(short, PaddedBatch)
    assert sequence_logps(model, short).logp.isfinite().all()
    for path in ("tree", "padded"):
        with pytest.raises(InputError, match=f"past {BOUND} tokens") as refused:
            sequence_logps(model, build_batch(GROUPS, path, CPU, rope_lengths(model)))
        assert refused.value.where == "data.max_length"
