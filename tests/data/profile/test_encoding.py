"""What a tokenizer makes of rows: which its template refuses and why, and which special tokens stand in the text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.data.files import load, pairs, write
from tiebreak.data.profile.measure import profile

NO_SYSTEM = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.fixture
def tokenizer(shared_data: Path) -> Any:
    """GPT-2's tokenizer with a template that takes no system turn."""
    from transformers import GPT2Tokenizer

    folder = shared_data / "gpt2-tokenizer"
    made = GPT2Tokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    made.chat_template = NO_SYSTEM
    return made


@pytest.mark.parametrize("count", [1, 3])
def test_a_template_that_refuses_a_system_turn_is_said_with_its_reason(
    tmp_path: Path, tokenizer: Any, count: int
) -> None:
    rows = [{**row, "system": "Be brief." if i < count else None} for i, row in enumerate(pairs(3))]
    result = profile(load(write(tmp_path / "data.jsonl", rows)), tokenizer=tokenizer, tokenizer_name="m")
    ((reason, tally),) = result.refused.items()
    assert "System role not supported" in reason
    assert "data.template=transcript" in reason
    assert (tally.count, tally.examples[0]) == (count, "row 1")
    assert result.unit == ("tokens" if count < 3 else "characters")


def test_special_tokens_in_the_text_are_noted(tmp_path: Path, tokenizer: Any) -> None:
    rows = pairs(3)
    rows[1]["rejected"] = "no<|endoftext|>"
    result = profile(load(write(tmp_path / "data.jsonl", rows)), tokenizer=tokenizer, tokenizer_name="m")
    tally = result.notes["the special token <|endoftext|> of the model in their text"]
    assert (tally.count, tally.examples) == (1, ("row 2",))


def _several_turns(folder: Path) -> Any:
    said = [{"role": role, "content": "one two three"} for role in ("assistant", "user", "assistant")]
    rows = [{"prompt": row["prompt"], "chosen": said, "rejected": row["rejected"]} for row in pairs(3)]
    return load(write(folder / "data.jsonl", rows))


def test_of_several_turns_the_scored_share_is_said(tmp_path: Path, tokenizer: Any) -> None:
    loaded = _several_turns(tmp_path)
    every = profile(loaded, tokenizer=tokenizer, score_turns="all").scored
    last = profile(loaded, tokenizer=tokenizer, score_turns="last").scored
    assert every is not None
    assert last is not None
    assert 0 < last < every < 1
    assert profile(load(write(tmp_path / "plain.jsonl", pairs(3))), tokenizer=tokenizer).scored == 1
    assert profile(loaded).scored is None


def test_special_tokens_that_are_parsed_are_said_to_be(tmp_path: Path, tokenizer: Any) -> None:
    rows = [{**row, "chosen": "yes<|endoftext|>"} for row in pairs(2)]
    loaded = load(write(tmp_path / "data.jsonl", rows))
    text = profile(loaded, tokenizer=tokenizer)
    parsed = profile(loaded, tokenizer=tokenizer, special_tokens="parse")
    assert any(note.endswith("parsed as a control token") for note in parsed.notes)
    assert parsed.lengths["chosen"].mean < text.lengths["chosen"].mean
