"""Token ids: what training sees is what generation continues, and nothing is cut or left out unsaid."""

from __future__ import annotations

from typing import Any

import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from tests.training.small import word_tokenizer
from tiebreak.bundled import base_model_path
from tiebreak.data.preference import Message, Preference
from tiebreak.data.render import choose_template, ending_text, prompt_text
from tiebreak.data.tokenize import Limits, encode_prompts, is_separable, tokenize_preferences
from tiebreak.errors import InputError
from tiebreak.models.load import load_tokenizer

USER = (Message("user", "t10 t11"),)
TURNS = (
    Message("system", "t9"),
    Message("user", "t10 t11 t12"),
    Message("assistant", "t13"),
    Message("user", "t14"),
)


def _dataset(*rows: Preference) -> Dataset:
    return Dataset.from_list([row.to_row() for row in rows])


def _tokenized(*rows: Preference, **limits: Any) -> Any:
    return tokenize_preferences(_dataset(*rows), word_tokenizer(), template="transcript", limits=Limits(**limits))


@pytest.fixture(scope="module")
def chat_tokenizer() -> PreTrainedTokenizerBase:
    return load_tokenizer(str(base_model_path()))


def test_endings_are_closed_by_the_end_of_the_sequence() -> None:
    row = _tokenized(Preference(USER, "t5 t6", "t7")).dataset[0]
    assert row["chosen_ids"] == [5, 6, 2]
    assert row["rejected_ids"] == [7, 2]
    assert row["row"] == 0


def test_a_pair_that_is_too_long_is_left_out_and_counted() -> None:
    found = _tokenized(Preference(USER, "t5 " * 20, "t7"), Preference(USER, "t5", "t7"), total=12)
    assert len(found.dataset) == 1
    assert found.dataset[0]["row"] == 1
    assert found.counts == {"too long": 1}


def test_trimming_the_prompt_drops_the_oldest_turns_and_keeps_the_system() -> None:
    whole = _tokenized(Preference(TURNS, "t5", "t7")).dataset[0]["prompt_ids"]
    found = _tokenized(Preference(TURNS, "t5", "t7"), total=len(whole), too_long="trim_prompt")
    assert found.dataset[0]["prompt_ids"] != whole
    text = word_tokenizer().decode(found.dataset[0]["prompt_ids"])
    assert "t9" in text
    assert "t14" in text
    assert "t12" not in text
    assert found.counts == {"prompt trimmed": 1}


def test_trimming_the_endings_leaves_no_end_of_sequence() -> None:
    found = _tokenized(Preference(USER, "t5 " * 20, "t7"), completion=4, too_long="trim_completion")
    assert found.dataset[0]["chosen_ids"] == [5, 5, 5, 5]
    assert found.dataset[0]["rejected_ids"] == [7, 2]
    assert found.counts == {"completion trimmed": 1}


def test_endings_that_become_equal_by_trimming_are_left_out() -> None:
    pair = Preference(USER, "t5 t5 t5 t6", "t5 t5 t5 t7")
    found = _tokenized(pair, completion=3, too_long="trim_completion")
    assert len(found.dataset) == 0
    assert found.counts == {"equal after trimming": 1}


def test_nothing_held_out_is_no_error() -> None:
    pairs = _dataset(Preference(USER, "t5", "t7")).select([])
    found = tokenize_preferences(pairs, word_tokenizer(), template="transcript")
    assert len(found.dataset) == 0
    assert found.dataset["row"][:] == []


def test_a_tokenizer_without_an_end_of_sequence_is_refused() -> None:
    tokenizer = word_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(InputError, match="no end-of-sequence token"):
        tokenize_preferences(_dataset(Preference(USER, "t5", "t7")), tokenizer, template="transcript")


def test_a_chat_template_is_used_where_there_is_one(chat_tokenizer: PreTrainedTokenizerBase) -> None:
    assert choose_template(chat_tokenizer) == "chat"
    assert choose_template(chat_tokenizer, "transcript") == "transcript"
    assert choose_template(word_tokenizer()) == "transcript"
    with pytest.raises(InputError, match="no chat template"):
        choose_template(word_tokenizer(), "chat")


@given(question=st.text(min_size=1, max_size=40), answer=st.text(max_size=40))
def test_prompt_and_ending_spell_the_templates_conversation(
    chat_tokenizer: PreTrainedTokenizerBase, question: str, answer: str
) -> None:
    turns = (Message("user", question),)
    prompt = prompt_text(turns, chat_tokenizer, "chat")
    ending = ending_text(turns, answer, chat_tokenizer, "chat")
    whole = str(
        chat_tokenizer.apply_chat_template(
            [{"role": "user", "content": question}, {"role": "assistant", "content": answer}], tokenize=False
        )
    )
    assert (prompt + ending + str(chat_tokenizer.eos_token)) == whole.rstrip("\n") or whole.startswith(prompt + ending)


def test_training_and_generation_see_the_same_prompt(chat_tokenizer: PreTrainedTokenizerBase) -> None:
    row = tokenize_preferences(_dataset(Preference(TURNS, "yes", "no")), chat_tokenizer, template="chat").dataset[0]
    text = prompt_text(TURNS, chat_tokenizer, "chat")
    assert encode_prompts(chat_tokenizer, [text], "chat")[0] == row["prompt_ids"]


def test_a_byte_level_tokenizer_is_separable(chat_tokenizer: PreTrainedTokenizerBase) -> None:
    assert is_separable(chat_tokenizer)


def test_a_conversation_that_the_template_refuses_is_left_out_by_name(
    chat_tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    monkeypatch.setattr(chat_tokenizer, "chat_template", strict + str(chat_tokenizer.chat_template))
    rows = _dataset(Preference(TURNS, "yes", "no"), Preference(USER, "yes", "no"))
    found = tokenize_preferences(rows, chat_tokenizer, template="chat")
    assert found.dataset["row"][:] == [1]
    assert found.counts == {"the chat template refuses its turns": 1}


def test_an_ending_may_speak_of_the_end_of_the_sequence(chat_tokenizer: PreTrainedTokenizerBase) -> None:
    said = f"the token {chat_tokenizer.eos_token} ends a turn"
    assert ending_text(USER, said, chat_tokenizer, "chat") == said
