"""How one token is drawn."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from transformers import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from tiebreak.generation.sampling import Sampling, adjusted, draw, generator_for


def test_a_small_temperature_is_greedy_and_not_undefined() -> None:
    logits = torch.tensor([1.0, 5.0, 4.9])
    assert draw(logits, generator_for(0, logits.device), temperature=1e-30, top_p=1.0) == 1
    assert draw(logits, generator_for(0, logits.device), temperature=0.0, top_p=0.5) == 1


def test_tokens_beyond_the_share_are_never_drawn() -> None:
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))
    generator = generator_for(0, logits.device)
    assert {draw(logits, generator, temperature=1.0, top_p=0.6) for _ in range(200)} == {0, 1}
    assert {draw(logits, generator, temperature=1.0, top_p=1e-9) for _ in range(20)} == {0}


@pytest.mark.parametrize("top_p", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("spread", [0.0, 1.0, 8.0])
def test_draws_are_those_of_the_usual_way(top_p: float, spread: float) -> None:
    logits = torch.randn(2000, generator=torch.Generator().manual_seed(1)) * spread
    usual = TopPLogitsWarper(top_p)(None, (logits / 0.7)[None])
    for seed in range(20 if spread else 0):
        torch.manual_seed(seed)
        wanted = int(torch.multinomial(torch.softmax(usual, -1), 1))
        assert draw(logits, generator_for(seed, logits.device), temperature=0.7, top_p=top_p) == wanted
    if not spread:  # all are equal: so many of them as make up the share
        drawn = {draw(logits, generator_for(s, logits.device), temperature=1.0, top_p=top_p) for s in range(300)}
        assert len(drawn) > 50


@pytest.mark.parametrize(("top_k", "top_p", "min_p"), [(5, 1.0, 0.0), (0, 1.0, 0.2), (50, 0.9, 0.05), (1, 0.5, 0.0)])
def test_draws_within_several_bounds_are_those_of_the_usual_way(top_k: int, top_p: float, min_p: float) -> None:
    logits = torch.randn(500, generator=torch.Generator().manual_seed(1)) * 2
    usual = (logits / 0.8)[None]
    for warper in (
        TopKLogitsWarper(top_k) if top_k else None,
        TopPLogitsWarper(top_p) if top_p < 1 else None,
        MinPLogitsWarper(min_p) if min_p else None,
    ):
        usual = usual if warper is None else warper(cast(Any, None), usual)
    for seed in range(30):
        torch.manual_seed(seed)
        wanted = int(torch.multinomial(torch.softmax(usual, -1), 1))
        drawn = draw(logits, generator_for(seed, logits.device), temperature=0.8, top_p=top_p, top_k=top_k, min_p=min_p)
        assert drawn == wanted


def test_without_penalties_and_biases_the_logits_are_the_same_tensor() -> None:
    logits = torch.randn(5)
    assert adjusted(logits, Sampling(), [1, 2], [3]) is logits
    assert adjusted(logits, Sampling(presence_penalty=1.0), [1, 2], []) is logits


def test_repetition_is_made_less_likely_as_usual_in_prompt_and_answer() -> None:
    logits = torch.randn(20, generator=torch.Generator().manual_seed(2))
    usual = RepetitionPenaltyLogitsProcessor(1.3)(torch.tensor([[3, 4, 4, 9]]), logits[None].clone())[0]
    assert torch.allclose(adjusted(logits, Sampling(repetition_penalty=1.3), [3, 4], [4, 9]), usual)


def test_penalties_count_the_answer_alone_and_biases_are_added() -> None:
    logits = torch.zeros(6)
    settings = Sampling(presence_penalty=0.5, frequency_penalty=0.25, logit_bias=((0, 2.0), (5, -100.0)))
    found = adjusted(logits, settings, [1, 1], [2, 3, 3])
    assert found.tolist() == [2.0, 0.0, -0.75, -1.0, 0.0, -100.0]
    assert logits.tolist() == [0.0] * 6
