"""Sampled answers: by a seed, whole batches kept, nothing drawn twice, also after a fault in the middle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tiebreak.data.preference import Message
from tiebreak.generation.generate import Sampling, answers_with_ends
from tiebreak.models.load import load_tokenizer
from tiebreak.recipe import Recipe
from tiebreak.workflow import answers
from tiebreak.workflow.answers import SampledAnswers, sample_answers
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.prompts import AskedPrompt

PROMPTS = [AskedPrompt((Message("user", f"What is the capital of {name}?"),)) for name in ("France", "Italy", "Peru")]
SAMPLING = Sampling(1.0, max_new_tokens=8, seed=3)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(tmp_path))


def sampled(prompts: list[AskedPrompt] = PROMPTS, sampling: Sampling = SAMPLING) -> SampledAnswers:
    """Answers of the bundled model, two at a time."""
    return sample_answers(Recipe(), prompts, sampling, Progress(), batch=2)


def test_what_was_sampled_is_kept_and_goes_by_all_it_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    first = sampled()
    assert (first.sampled, first.kept) == (3, 0)
    assert len(first.texts) == len(first.ended) == len(first.tokens) == 3
    assert all(1 <= count <= 9 for count in first.tokens)
    again = sampled()
    assert (again.sampled, again.kept) == (0, 3)
    assert (again.texts, again.ids, again.prompt_ids) == (first.texts, first.ids, first.prompt_ids)
    tokenizer = load_tokenizer("bundled:base")
    for text, ids in zip(first.texts, first.ids, strict=True):
        assert str(tokenizer.decode(list(ids), skip_special_tokens=True)).strip() == text
    assert first.record["template"] == "chat"
    assert first.record["sampling"]["seed"] == 3
    assert sampled(sampling=Sampling(1.0, max_new_tokens=8, seed=4)).sampled == 3
    assert sampled(PROMPTS[:2]).kept in (0, 2)


def test_what_was_sampled_before_a_fault_is_not_sampled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    draw, calls = answers_with_ends, 0

    def second_fails(*args: Any, **settings: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return draw(*args, **settings)

    monkeypatch.setattr(answers, "answers_with_ends", second_fails)
    with pytest.raises(KeyboardInterrupt):
        sampled()
    monkeypatch.setattr(answers, "answers_with_ends", draw)
    found = sampled()
    assert (found.sampled, found.kept) == (1, 2)


def test_a_prompt_that_leaves_no_room_has_an_empty_answer() -> None:
    long = AskedPrompt((Message("user", "word " * 3000),))
    found = sampled([PROMPTS[0], long])
    assert (found.texts[1], found.ended[1], found.too_long) == ("", False, 1)
    assert found.texts[0]
    assert (found.ids[1], len(found.prompt_ids)) == ((), 2)
