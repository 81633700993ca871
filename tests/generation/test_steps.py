"""Texts computed together: the same numbers as by the model's own code, and the same to the bit in any company."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.architectures import ARCHITECTURES, SPECIAL, made
from tiebreak.generation.choose_steps import choose_steps
from tiebreak.generation.sampling import draw, generator_for
from tiebreak.generation.steps import BatchedSteps, SequentialSteps, Steps

PROMPTS = [[3, 9, 4], [7] * 12, [5, 6, 7, 8, 9, 10, 11, 12], [60]]


def continued(steps: Steps, prompts: list[list[int]], tokens: int) -> list[list[int]]:
    """Each prompt's continuation, drawn with its number as the seed; all share each step."""
    begun = [steps.prefill(prompt, len(prompt) + tokens) for prompt in prompts]
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
    by_own_code = continued(SequentialSteps(ARCHITECTURES[name](), 6), PROMPTS, 10)
    assert together == by_own_code


def continued_alone(steps: Steps, number: int) -> list[int]:
    generator = generator_for(number, torch.device("cpu"))
    state, logits = steps.prefill(PROMPTS[number], len(PROMPTS[number]) + 10)
    made = [draw(logits, generator, temperature=1.0, top_p=0.95)]
    for _ in range(9):
        made.append(draw(steps.step([state], made[-1:])[0], generator, temperature=1.0, top_p=0.95))
    return made


def test_a_text_may_join_and_leave_between_any_two_steps() -> None:
    steps = BatchedSteps(ARCHITECTURES["qwen2"](), 3)
    state, first = steps.prefill([3, 4, 5], 20)
    alone = [first, *(steps.step([state], [token])[0] for token in (6, 7, 8))]
    state, first = steps.prefill([3, 4, 5], 20)
    other, _ = steps.prefill([9, 9], 20)
    third, _ = steps.prefill([1], 20)
    moved = [
        first,
        steps.step([state], [6])[0],
        steps.step([other, state, third], [1, 7, 2])[1],
        steps.step([third, state], [2, 8])[1],
    ]
    assert all(torch.equal(a, b) for a, b in zip(alone, moved, strict=True))


# Models that remember a text in another way than by keys and values, too.
REMEMBERING = {
    **{name: ARCHITECTURES[name] for name in ("gpt2", "qwen2", "gemma3_window", "mistral_window", "bloom", "mamba")},
    "mamba2": made(
        "Mamba2Config",
        vocab_size=61,
        hidden_size=32,
        num_hidden_layers=2,
        state_size=8,
        num_heads=4,
        head_dim=16,
        n_groups=1,
        expand=2,
        **SPECIAL,
    ),
    "rwkv": made(
        "RwkvConfig", vocab_size=61, hidden_size=32, num_hidden_layers=2, attention_hidden_size=32, context_length=64
    ),
}


@pytest.mark.parametrize("name", REMEMBERING)
def test_one_text_after_the_other_has_the_logits_of_plain_forward_passes(name: str) -> None:
    model = REMEMBERING[name]()
    ids = torch.randint(3, 60, (18,), generator=torch.Generator().manual_seed(1)).tolist()
    with torch.inference_mode():
        plain = torch.stack([model(torch.tensor([ids[: i + 1]])).logits[0, -1] for i in range(9, len(ids))])
    steps = SequentialSteps(model, rows=1)
    text, first = steps.prefill(ids[:10], len(ids))
    found = torch.stack([first, *(steps.step([text], [token])[0] for token in ids[10:])])
    torch.testing.assert_close(found, plain, rtol=0, atol=1e-4)
    assert text.length == len(ids)


def test_a_model_that_remembers_nothing_is_given_the_whole_text(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ARCHITECTURES["gpt2"]()
    forward, seen = model.forward, list[int]()

    def forgetful(input_ids: Tensor, logits_to_keep: int = 0) -> Any:
        seen.append(input_ids.shape[1])
        return forward(input_ids=input_ids, use_cache=False, logits_to_keep=logits_to_keep)

    monkeypatch.setattr(model, "forward", forgetful)
    steps = SequentialSteps(model, rows=1)
    text, _ = steps.prefill([5, 6, 7], 8)
    last = steps.step([text], [8])[0]
    assert seen == [3, 4]
    torch.testing.assert_close(last, forward(input_ids=torch.tensor([[5, 6, 7, 8]])).logits[0, -1])


def test_only_the_last_position_goes_through_the_vocabulary() -> None:
    model = ARCHITECTURES["qwen2"]()
    rows = list[int]()
    model.lm_head.register_forward_hook(lambda module, given, out: rows.append(out.shape[1]))
    SequentialSteps(model, rows=1).prefill(list(range(3, 23)), 32)
    assert rows == [1]
