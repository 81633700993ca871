"""Answers: the same alone as in a batch, the same as a stream, ended where the next turn would begin."""

from __future__ import annotations

import pytest
import torch

from tests.architectures import ARCHITECTURES
from tests.training.small import word_tokenizer
from tiebreak.data.preference import Message
from tiebreak.errors import InputError
from tiebreak.evaluate.generate import Sampling, _until_next_turn, answer_all, stream_answer
from tiebreak.evaluate.until import safe_length

GREEDY = Sampling(temperature=0.0, max_new_tokens=12)
PROMPTS = [[Message("user", " ".join(f"t{3 + (7 * i + j) % 50}" for j in range(3 + 2 * i)))] for i in range(5)]


def test_an_answer_does_not_depend_on_its_company() -> None:
    model, tokenizer = ARCHITECTURES["qwen2"](), word_tokenizer()
    together = answer_all(model, tokenizer, PROMPTS, GREEDY)
    alone = [answer_all(model, tokenizer, [prompt], GREEDY)[0] for prompt in PROMPTS]
    assert together == alone
    assert any(together)


def test_a_stream_is_the_same_answer() -> None:
    model, tokenizer = ARCHITECTURES["qwen2"](), word_tokenizer()
    for prompt in PROMPTS[:2]:
        assert (
            "".join(stream_answer(model, tokenizer, prompt, GREEDY))
            == answer_all(model, tokenizer, [prompt], GREEDY)[0]
        )


def test_a_seed_repeats_and_another_differs() -> None:
    model, tokenizer = ARCHITECTURES["qwen2"](), word_tokenizer()

    def drawn(seed: int) -> list[str]:
        return answer_all(model, tokenizer, PROMPTS, Sampling(1.0, max_new_tokens=12, seed=seed))

    assert drawn(1) == drawn(1) != drawn(2)


def test_leaving_a_stream_early_stops_it() -> None:
    model, tokenizer = ARCHITECTURES["qwen2"](), word_tokenizer()
    stream = stream_answer(model, tokenizer, PROMPTS[0], Sampling(temperature=0.0, max_new_tokens=100))
    next(stream)
    stream.close()  # returns only when the generating thread has ended


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


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_transcript_ends_where_the_human_would_speak(cut: int) -> None:
    text = "  Fine, thanks.\n\nHuman: And you?"
    pieces = [text[i : i + cut] for i in range(0, len(text), cut)]
    assert "".join(_until_next_turn(iter(pieces), "transcript")) == "Fine, thanks."


def test_a_new_line_within_an_answer_stays() -> None:
    pieces = ["one\n", "\nHum", "ble two\n"]
    assert "".join(_until_next_turn(iter(pieces), "transcript")) == "one\n\nHumble two"
    assert safe_length("abc\n\nHu", "\n\nHuman:") == 3


def test_answers_stay_within_the_positions_of_the_model() -> None:
    model, tokenizer = ARCHITECTURES["gpt2"](), word_tokenizer()
    prompts = [[Message("user", "t5 " * words)] for words in (3, 120, 200)]
    answers = answer_all(model, tokenizer, prompts, Sampling(temperature=0.0, max_new_tokens=100))
    assert answers[2] == ""  # no room at all
    assert len(answers) == 3
    list(stream_answer(model, tokenizer, prompts[1], Sampling(temperature=0.0, max_new_tokens=100)))
