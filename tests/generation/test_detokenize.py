"""The text of an answer as it grows: nothing is said that would have to be taken back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.generation.tool_templates import MISTRAL3, tokenizer_of
from tests.training.small import word_tokenizer
from tiebreak.generation.detokenize import Detokenizer, StopStrings, safe_length
from tiebreak.models.load import load_tokenizer

TOKENIZER = load_tokenizer("bundled:base")


def pieces_of(ids: list[int], *stops: str, strip: bool, as_it_grows: bool = True) -> list[str]:
    text = Detokenizer(TOKENIZER, stops, strip=strip, as_it_grows=as_it_grows)
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


def test_a_token_without_text_does_not_part_or_join_the_words_around_it() -> None:
    tokenizer = word_tokenizer()
    ids = tokenizer("t5 t6 t7", add_special_tokens=False)["input_ids"]
    ids = [ids[0], tokenizer.pad_token_id, ids[1], tokenizer.pad_token_id, tokenizer.pad_token_id, ids[2]]
    text = Detokenizer(tokenizer, (), strip=False)
    assert "".join([*map(text.push, ids), text.finish()]) == "t5 t6 t7"


@given(st.text(alphabet="ab \n", max_size=20), st.integers(min_value=1, max_value=5))
def test_an_answer_ends_before_the_first_stop_string_however_it_is_cut(text: str, size: int) -> None:
    until = StopStrings(["ab\n", "ba"], strip=False)
    said = "".join([*(until.push(text[i : i + size]) for i in range(0, len(text), size)), until.finish()])
    first = min([at for stop in ("ab\n", "ba") if (at := text.find(stop)) >= 0], default=None)
    assert said == text[:first]
    assert until.ended == (first is not None)


@pytest.mark.parametrize("text", ["\n\nHuman: hello", "  \n\nHuman:"])
def test_a_stop_string_at_the_very_beginning_leaves_nothing(text: str) -> None:
    until = StopStrings(["\n\nHuman:"])
    assert "".join([*(until.push(character) for character in text), until.finish()]) == ""


@pytest.mark.parametrize("size", range(1, 12))
def test_a_transcript_ends_where_the_human_would_speak(size: int) -> None:
    text = "  Fine, thanks.\n\nHuman: And you?"
    until = StopStrings(["\n\nHuman:"])
    pieces = [until.push(text[i : i + size]) for i in range(0, len(text), size)]
    assert "".join([*pieces, until.finish()]) == "Fine, thanks."


def test_a_new_line_within_an_answer_stays() -> None:
    until = StopStrings(["\n\nHuman:"])
    pieces = [until.push(piece) for piece in ("one\n", "\nHum", "ble two\n")]
    assert "".join([*pieces, until.finish()]) == "one\n\nHumble two"
    assert safe_length("abc\n\nHu", "\n\nHuman:") == 3


def test_marks_are_the_only_special_tokens_in_the_text() -> None:
    tokenizer = tokenizer_of(MISTRAL3)
    mark, other = (tokenizer.get_vocab()[name] for name in ("[TOOL_CALLS]", "[INST]"))
    ids = [other, mark, *tokenizer.encode(" [é]", add_special_tokens=False), other]
    text = Detokenizer(tokenizer, (), strip=False, marks={mark})
    assert [*map(text.push, ids), text.finish()][:2] == ["", "[TOOL_CALLS]"]
    for as_it_grows in (True, False):
        text = Detokenizer(tokenizer, (), strip=False, as_it_grows=as_it_grows, marks={mark})
        assert "".join([*map(text.push, ids), text.finish()]) == "[TOOL_CALLS] [é]"
