"""The text of an answer as it grows: nothing is said that would have to be taken back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiebreak.evaluate.until import Until
from tiebreak.models.load import load_tokenizer
from tiebreak.serve.answer_text import AnswerText

TOKENIZER = load_tokenizer("bundled:base")


def pieces_of(ids: list[int], *stops: str, strip: bool, as_it_grows: bool = True) -> list[str]:
    text = AnswerText(TOKENIZER, stops, strip=strip, as_it_grows=as_it_grows)
    return [*map(text.push, ids), text.finish()]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30))
def test_pieces_join_to_the_decoded_text(text: str) -> None:
    ids = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    whole = TOKENIZER.decode(ids, skip_special_tokens=True)
    assert "".join(pieces_of(ids, strip=False)) == whole
    assert "".join(pieces_of(ids, strip=False, as_it_grows=False)) == whole
    assert "".join(pieces_of(ids, strip=True)) == whole.strip()


@given(st.lists(st.integers(min_value=3, max_value=1791), max_size=20))
def test_any_tokens_have_the_text_that_they_have_at_once(ids: list[int]) -> None:
    assert "".join(pieces_of(ids, strip=False)) == TOKENIZER.decode(ids, skip_special_tokens=True)


def test_half_a_character_is_held_back() -> None:
    ids = TOKENIZER("ok 🙂!", add_special_tokens=False)["input_ids"]
    assert all("�" not in piece for piece in pieces_of(ids, strip=False))


@given(st.text(alphabet="ab \n", max_size=20), st.integers(min_value=1, max_value=5))
def test_an_answer_ends_before_the_first_mark_however_it_is_cut(text: str, size: int) -> None:
    until = Until(["ab\n", "ba"], strip=False)
    said = "".join([*(until.push(text[i : i + size]) for i in range(0, len(text), size)), until.finish()])
    first = min([at for mark in ("ab\n", "ba") if (at := text.find(mark)) >= 0], default=None)
    assert said == text[:first]
    assert until.ended == (first is not None)


@pytest.mark.parametrize("text", ["\n\nHuman: hello", "  \n\nHuman:"])
def test_a_mark_at_the_very_beginning_leaves_nothing(text: str) -> None:
    until = Until(["\n\nHuman:"])
    assert "".join([*(until.push(character) for character in text), until.finish()]) == ""
