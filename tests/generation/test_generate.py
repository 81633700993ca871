"""Answers: the same alone as in a batch, the same as a stream, ended where the next turn would begin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.architectures import ARCHITECTURES
from tests.training.small import word_tokenizer
from tiebreak.data.preference import Message
from tiebreak.data.preparing.templates import Template
from tiebreak.errors import InputError
from tiebreak.generation.generate import Sampling, answer_all, answers_with_ends, stream_answer
from tiebreak.generation.steps import SequentialSteps
from tiebreak.models.load import load_model, load_tokenizer

GREEDY = Sampling(temperature=0.0, max_new_tokens=12)
PROMPTS = [[Message("user", " ".join(f"t{3 + (7 * i + j) % 50}" for j in range(3 + 2 * i)))] for i in range(5)]


def test_an_answer_does_not_depend_on_its_company() -> None:
    model, tokenizer = ARCHITECTURES["qwen2"](), word_tokenizer()
    together = answer_all(model, tokenizer, PROMPTS, GREEDY)
    alone = [answer_all(model, tokenizer, [prompt], GREEDY)[0] for prompt in PROMPTS]
    assert together == alone
    assert any(together)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_a_stream_is_the_same_answer(name: str) -> None:
    model, tokenizer = ARCHITECTURES[name](), word_tokenizer()
    for prompt in PROMPTS[:2]:
        (whole,) = answer_all(model, tokenizer, [prompt], GREEDY)
        assert "".join(stream_answer(model, tokenizer, prompt, GREEDY)) == whole


def test_a_seed_draws_the_same_as_a_stream_and_alone() -> None:
    model, tokenizer = load_model("bundled:base"), load_tokenizer("bundled:base")
    templates: tuple[Template, ...] = ("chat", "transcript")
    for seed, template in enumerate(templates):
        settings = Sampling(1.0, 0.9, 40, seed)
        prompt = [Message("user", "Tell me about rivers.")]
        (whole,) = answer_all(model, tokenizer, [prompt], settings, template=template)
        assert "".join(stream_answer(model, tokenizer, prompt, settings, template=template)) == whole
        assert whole


def test_a_seed_repeats_and_another_differs() -> None:
    model, tokenizer = ARCHITECTURES["qwen2"](), word_tokenizer()

    def drawn(seed: int) -> list[str]:
        return answer_all(model, tokenizer, PROMPTS, Sampling(1.0, max_new_tokens=12, seed=seed))

    assert drawn(1) == drawn(1) != drawn(2)


def test_leaving_a_stream_early_stops_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer = ARCHITECTURES["qwen2"](), word_tokenizer()
    steps: list[int] = []
    step = SequentialSteps.step

    def counted(self: SequentialSteps, states: Sequence[Any], tokens: Sequence[int]) -> Tensor:
        steps.append(1)
        return step(self, states, tokens)

    monkeypatch.setattr(SequentialSteps, "step", counted)
    stream = stream_answer(model, tokenizer, PROMPTS[0], Sampling(temperature=0.0, max_new_tokens=100))
    next(stream)
    stream.close()
    assert len(steps) < 5


def test_a_conversation_longer_than_the_model_is_refused() -> None:
    model, tokenizer = ARCHITECTURES["qwen2"](), word_tokenizer()
    long = [Message("user", "t5 " * 200)]
    with pytest.raises(InputError, match="the model takes 128"):
        next(stream_answer(model, tokenizer, long, GREEDY))


def test_an_error_of_the_generation_reaches_the_reader() -> None:
    model, tokenizer = ARCHITECTURES["qwen2"](), word_tokenizer()
    model.lm_head = torch.nn.Linear(5, 7)
    with pytest.raises(RuntimeError):
        list(stream_answer(model, tokenizer, PROMPTS[0], GREEDY))


def test_answers_stay_within_the_positions_of_the_model() -> None:
    model, tokenizer = ARCHITECTURES["gpt2"](), word_tokenizer()
    prompts = [[Message("user", "t5 " * words)] for words in (3, 120, 200)]
    answers = answer_all(model, tokenizer, prompts, Sampling(temperature=0.0, max_new_tokens=100))
    assert answers[2] == ""  # no room at all
    assert len(answers) == 3
    list(stream_answer(model, tokenizer, prompts[1], Sampling(temperature=0.0, max_new_tokens=100)))


def test_what_a_model_brings_along_for_generating_changes_no_draw() -> None:
    model, tokenizer = load_model("bundled:base"), load_tokenizer("bundled:base")
    prompts, settings = [[Message("user", "Tell me about rivers.")]], Sampling(1.0, max_new_tokens=30, seed=2)
    before = answer_all(model, tokenizer, prompts, settings)
    own: Any = model.generation_config
    own.repetition_penalty, own.suppress_tokens, own.min_p = 5.0, list(range(100, 1700)), 0.5
    assert answer_all(model, tokenizer, prompts, settings) == before
    assert model.generation_config is own


def test_an_answer_has_the_tokens_that_were_drawn_with_the_one_that_ended_it() -> None:
    model, tokenizer = load_model("bundled:base"), load_tokenizer("bundled:base")
    prompts = [[Message("user", text)] for text in ("What is 2 plus 3?", "Tell me about rivers.")]
    found = answers_with_ends(model, tokenizer, prompts, Sampling(0.0, max_new_tokens=40))
    assert len({len(answer.ids) for answer in found}) == 2  # one was padded in the batch
    for answer in found:
        assert answer.ended
        assert answer.ids.index(tokenizer.eos_token_id) == len(answer.ids) - 1
        assert str(tokenizer.decode(list(answer.ids[:-1]))).strip() == answer.text
    (cut,) = answers_with_ends(model, tokenizer, prompts[:1], Sampling(0.0, max_new_tokens=2))
    assert (cut.ended, cut.ids) == (False, found[0].ids[:2])


@pytest.mark.parametrize("after", ["", " And then?"])
def test_what_is_drawn_after_a_string_that_ends_answers_is_no_part_of_it(
    after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokenizer = load_model("bundled:base"), load_tokenizer("bundled:base")
    said, rest = (tokenizer(text)["input_ids"] for text in ("Yes.\n\nHuman:", after))

    def generate(rows: Tensor, **_: Any) -> Tensor:
        return torch.cat([rows, torch.tensor([[*said, *rest, tokenizer.eos_token_id]])], dim=1)

    monkeypatch.setattr(model, "generate", generate)
    (found,) = answers_with_ends(model, tokenizer, PROMPTS[:1], GREEDY, template="transcript")
    assert (found.text, found.ended, found.ids) == ("Yes.", True, tuple(said))
