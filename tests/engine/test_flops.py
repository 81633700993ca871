"""What a batch costs: what torch counts in a plain forward pass, less what no token needs."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

from tests.architectures import ARCHITECTURES
from tests.causal_models import config_of
from tiebreak.engine.batch import ScoredGroup, group_of
from tiebreak.engine.flops import flops_of, layer_configs
from tiebreak.engine.layout import build_padded, build_tree

COUNTED = ("gpt2", "llama", "qwen2", "qwen3", "opt", "gpt_neox", "phi3")


def _ids(n: int, seed: int = 0) -> list[int]:
    draw = random.Random(seed)
    return [draw.randrange(3, 61) for _ in range(n)]


def _pairs() -> list[ScoredGroup]:
    return [group_of(_ids(20, i), [[3, *_ids(4, 90 + i)], [4, *_ids(9, 50 + i)]]) for i in range(4)]


@pytest.mark.parametrize("name", COUNTED)
@pytest.mark.parametrize("tokens", [2, 13])
def test_one_sequence_costs_what_torch_counts(name: str, tokens: int) -> None:
    model = ARCHITECTURES[name]()
    model.set_attn_implementation("eager")
    ids = _ids(tokens)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(input_ids=torch.tensor([ids]), use_cache=False)
    flops = flops_of(model)
    # The plain pass projects the last token too, and computes the pairs above the diagonal before they are masked.
    above = tokens * (tokens - 1) // 2
    expected = counter.get_total_flops() - flops.per_prediction - above * flops.per_pair
    group = group_of(ids[:1], [ids[1:]])
    assert flops.forward(build_tree([group])) == expected
    assert flops.forward(build_padded([group])) == expected


def test_pairs_in_trees_count_each_token_with_its_ancestors() -> None:
    flops = flops_of(ARCHITECTURES["llama"]())
    batch = build_tree(_pairs())
    position, kept = batch.position.tolist(), len(set(batch.kept_row.tolist()))
    ancestors = sum(depth + 1 for depth in position)
    assert (
        flops.forward(batch)
        == flops.per_token * len(position) + flops.per_prediction * kept + flops.per_pair * ancestors
    )


def test_a_shared_prompt_is_paid_for_once() -> None:
    flops, pairs = flops_of(ARCHITECTURES["llama"]()), _pairs()
    shared, packed, padded = build_tree(pairs), build_tree(pairs, share=False), build_padded(pairs)
    assert flops.forward(shared) < flops.forward(packed) < flops.forward(padded)
    saved = flops.forward(packed) - flops.forward(shared)
    # Of each pair the prompt of 20 tokens, its 210 pairs of tokens, and the projection of the prompt's last token.
    assert saved == 4 * (20 * flops.per_token + 210 * flops.per_pair + flops.per_prediction)


def test_padding_is_paid_for_in_the_layers_but_not_in_the_vocabulary() -> None:
    flops = flops_of(ARCHITECTURES["gpt2"]())
    pairs = [group_of([3, 4], [[5], [6, 7, 8]])]
    padded, packed = build_padded(pairs), build_tree(pairs, share=False)
    more = (padded.tokens - packed.tokens) * flops.per_token + (2 * 15 - (6 + 15)) * flops.per_pair
    assert flops.forward(padded) - flops.forward(packed) == more


def test_tied_and_untied_embeddings_cost_alike() -> None:
    config = ARCHITECTURES["llama"]().config
    made = []
    for tied in (True, False):
        config.tie_word_embeddings = tied
        made.append(flops_of(type(ARCHITECTURES["llama"]())(config)))
    assert made[0] == made[1]


def test_of_the_experts_only_those_that_are_asked_count() -> None:
    model = ARCHITECTURES["qwen2_moe"]()
    hidden, width, layers = 32, 24, 3
    flops = flops_of(model)
    every = sum(p.numel() for n, p in model.named_parameters() if "experts." in n and "shared" not in n)
    assert every == layers * 4 * 3 * hidden * width
    rest = sum(
        p.numel()
        for n, p in model.named_parameters()
        if p.ndim > 1 and "experts." not in n and "embed" not in n and "lm_head" not in n
    )
    assert flops.per_token == 2 * (rest + every * 2 // 4)


def test_layers_with_heads_of_their_own_are_counted_each() -> None:
    config = config_of("gemma4_text", per_layer_config={"1": {"head_dim": 16}})
    widths = [layer.head_dim for layer in layer_configs(config)]
    assert widths == [8, 16]
    model: Any = transformers.AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    assert flops_of(model).per_pair == 4 * 4 * sum(widths)
