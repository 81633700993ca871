"""Texts computed together: the same numbers as by the model's own code, and the same to the bit in any company."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import TopPLogitsWarper

from tests.architectures import ARCHITECTURES
from tiebreak.serve.choose_steps import _same_in_any_company, choose_steps
from tiebreak.serve.sampling import draw, generator_for
from tiebreak.serve.steps import ApartSteps, Steps, TogetherSteps

PROMPTS = [[3, 9, 4], [7] * 12, [5, 6, 7, 8, 9, 10, 11, 12], [60]]


def continued(steps: Steps, prompts: list[list[int]], tokens: int) -> list[list[int]]:
    """Each prompt's continuation, drawn with its number as the seed; all share each step."""
    begun = [steps.begin(prompt, len(prompt) + tokens) for prompt in prompts]
    generators = [generator_for(i, torch.device("cpu")) for i in range(len(prompts))]

    def drawn(i: int, logits: Tensor) -> int:
        return draw(logits, generators[i], temperature=1.0, top_p=0.95)

    made = [[drawn(i, logits)] for i, (_, logits) in enumerate(begun)]
    for _ in range(tokens - 1):
        logits = steps.step([state for state, _ in begun], [one[-1] for one in made])
        for i, one in enumerate(made):
            one.append(drawn(i, logits[i]))
    return made


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_a_chosen_way_gives_the_continuations_that_a_text_gets_alone(name: str) -> None:
    chosen = choose_steps(ARCHITECTURES[name](), 6)
    together = continued(chosen.steps, PROMPTS, 10)
    assert together == [continued_alone(chosen.steps, i) for i in range(len(PROMPTS))]
    by_own_code = continued(ApartSteps(ARCHITECTURES[name](), 6), PROMPTS, 10)
    assert together == by_own_code


def continued_alone(steps: Steps, number: int) -> list[int]:
    generator = generator_for(number, torch.device("cpu"))
    state, logits = steps.begin(PROMPTS[number], len(PROMPTS[number]) + 10)
    made = [draw(logits, generator, temperature=1.0, top_p=0.95)]
    for _ in range(9):
        made.append(draw(steps.step([state], made[-1:])[0], generator, temperature=1.0, top_p=0.95))
    return made


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen2", "qwen3", "mistral_window", "qwen2_window"])
def test_common_architectures_share_their_steps(name: str) -> None:
    assert choose_steps(ARCHITECTURES[name](), 4).together


@pytest.mark.parametrize("name", ["bloom", "mamba", "gemma2", "qwen2_moe"])
def test_models_that_cannot_share_their_steps_alike_are_computed_one_by_one_and_it_is_said(name: str) -> None:
    chosen = choose_steps(ARCHITECTURES[name](), 4)
    assert not chosen.together
    assert chosen.reason.startswith("requests one after the other")


def test_a_text_may_join_and_leave_between_any_two_steps() -> None:
    steps = TogetherSteps(ARCHITECTURES["qwen2"](), 3)
    state, first = steps.begin([3, 4, 5], 20)
    alone = [first, *(steps.step([state], [token])[0] for token in (6, 7, 8))]
    state, first = steps.begin([3, 4, 5], 20)
    other, _ = steps.begin([9, 9], 20)
    third, _ = steps.begin([1], 20)
    moved = [
        first,
        steps.step([state], [6])[0],
        steps.step([other, state, third], [1, 7, 2])[1],
        steps.step([third, state], [2, 8])[1],
    ]
    assert all(torch.equal(a, b) for a, b in zip(alone, moved, strict=True))


def test_a_model_whose_rows_differ_is_found_out() -> None:
    model = ARCHITECTURES["qwen2"]()
    head = model.lm_head.forward

    def uneven(hidden: Tensor) -> Tensor:
        return head(hidden) + 1e-6 * torch.arange(hidden.shape[0])[:, None, None]

    model.lm_head.forward = uneven
    assert not _same_in_any_company(TogetherSteps(model, 4), list(range(3, 14)))


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
    usual = TopPLogitsWarper(top_p)(None, (logits / 0.7)[None])  # type: ignore[arg-type]
    for seed in range(20 if spread else 0):
        torch.manual_seed(seed)
        wanted = int(torch.multinomial(torch.softmax(usual, -1), 1))
        assert draw(logits, generator_for(seed, logits.device), temperature=0.7, top_p=top_p) == wanted
    if not spread:  # all are equal: so many of them as make up the share
        drawn = {draw(logits, generator_for(s, logits.device), temperature=1.0, top_p=top_p) for s in range(300)}
        assert len(drawn) > 50
