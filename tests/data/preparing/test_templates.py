"""Conversations as text: what a template makes of them, and the one day it knows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from tests.data.preparing.made import USER
from tests.training.small import word_tokenizer
from tiebreak.data.preference import Message
from tiebreak.data.preparing.completions import completion_text
from tiebreak.data.preparing.templates import choose_template, prompt_text
from tiebreak.errors import InputError


def test_a_chat_template_is_used_where_there_is_one(chat_tokenizer: PreTrainedTokenizerBase) -> None:
    assert choose_template(chat_tokenizer) == "chat"
    assert choose_template(chat_tokenizer, "transcript") == "transcript"
    assert choose_template(word_tokenizer()) == "transcript"
    with pytest.raises(InputError, match="no chat template"):
        choose_template(word_tokenizer(), "chat")


@given(question=st.text(min_size=1, max_size=40), answer=st.text(max_size=40))
def test_prompt_and_completion_spell_the_templates_conversation(
    chat_tokenizer: PreTrainedTokenizerBase, question: str, answer: str
) -> None:
    turns = (Message("user", question),)
    prompt = prompt_text(turns, chat_tokenizer, "chat")
    completion = completion_text(turns, answer, chat_tokenizer, "chat")
    whole = str(
        chat_tokenizer.apply_chat_template(
            [{"role": "user", "content": question}, {"role": "assistant", "content": answer}], tokenize=False
        )
    )
    assert (prompt + completion + str(chat_tokenizer.eos_token)) == whole.rstrip("\n") or whole.startswith(
        prompt + completion
    )


def test_a_completion_may_speak_of_the_end_of_the_sequence(chat_tokenizer: PreTrainedTokenizerBase) -> None:
    said = f"the token {chat_tokenizer.eos_token} ends a turn"
    assert completion_text(USER, said, chat_tokenizer, "chat") == said


@pytest.mark.parametrize(
    ("template", "date"),
    [
        (
            "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}",
            "26 Jul 2024",
        ),
        ("{%- set date_string = strftime_now('%Y-%m-%d') %}", "2024-07-26"),
        ("{%- macro day() -%}{{ strftime_now('%A, %-d %B %y') }}{%- endmacro %}{% set date_string = day() %}", None),
    ],
)
def test_a_template_that_asks_for_todays_date_gets_the_same_one_every_day(
    chat_tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch, template: str, date: str | None
) -> None:
    monkeypatch.setattr(chat_tokenizer, "chat_template", f"  {template}Today is {{{{ date_string }}}}.\n")
    assert prompt_text(USER, chat_tokenizer, "chat").strip() == f"Today is {date or 'Friday, 26 July 24'}."


@pytest.mark.parametrize("start", ["", "\n", "  ", " \n {% if true %}x{% endif %}\n", "{%- if true %}\nx{% endif %}"])
def test_a_standing_calendar_changes_nothing_else_of_a_template(
    chat_tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    template = (
        start + "{% for message in messages %}\n{{ message.content }}\n{% endfor %}{% if strftime_now %}{% endif %}"
    )
    monkeypatch.setattr(chat_tokenizer, "chat_template", template)
    as_it_is = chat_tokenizer.apply_chat_template([{"role": "user", "content": "t10 t11"}], tokenize=False)
    assert prompt_text(USER, chat_tokenizer, "chat") == as_it_is
