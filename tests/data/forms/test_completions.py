"""Pairs as messages: our own form as it was written, and prompts that completions repeat, shorten or leave to them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.data.forms.cases import PLAIN, TURNS, said
from tiebreak.data.forms.fields import Dropped, RowProblem
from tiebreak.data.forms.recognise import named
from tiebreak.data.preference import Message, Preference

ASKED = Message("user", "2+2?")


def preferences_of(schema: str, row: dict[str, Any]) -> list[Preference]:
    """The pairs of one row."""
    return [made for made in named(schema).convert(row) if isinstance(made, Preference)]


def test_an_empty_completion_is_taken_from_rows_that_were_written_and_refused_by_hand() -> None:
    row = {**PLAIN.to_row(), "chosen": ""}
    assert preferences_of("tiebreak", row)[0].chosen == ""
    del row["weight"]
    with pytest.raises(RowProblem) as problem:
        preferences_of("tiebreak", row)
    assert problem.value.at("data.jsonl:1", row).where == "data.jsonl:1, column 'chosen'"
    assert problem.value.expected == "an answer"


def test_a_prompt_that_shortens_the_conversation_gives_way_to_it() -> None:
    before = [{"role": "user", "content": "hi"}, *said("hello"), *TURNS]
    row = {"prompt": "2+2", "chosen": before + said("4"), "rejected": before + said("5")}
    (pair,) = preferences_of("ultrafeedback", row)
    assert [message.content for message in pair.prompt] == ["hi", "hello", "2+2?"]


def test_a_system_turn_of_the_prompt_is_kept_where_completions_repeat_the_rest() -> None:
    prompt = [{"role": "system", "content": "Be brief."}, *TURNS]
    row = {"prompt": prompt, "chosen": TURNS + said("4"), "rejected": TURNS + said("5")}
    (pair,) = preferences_of("messages", row)
    assert pair.prompt == (Message("system", "Be brief."), ASKED)
    (again,) = preferences_of("messages", {**row, "chosen": said("4"), "rejected": said("5")})
    assert again == pair


def test_completions_of_two_conversations_make_no_pair() -> None:
    other: list[dict[str, Any]] = [{"role": "user", "content": "3+3?"}, *said("6")]
    with pytest.raises(Dropped, match="the conversations differ before the last answer"):
        preferences_of("implicit", {"chosen": TURNS + said("4"), "rejected": other})


@pytest.mark.parametrize("chosen", ["4", {"from": "gpt", "value": "4"}, [{"from": "gpt", "value": "4"}]])
def test_an_answer_of_sharegpt_is_text_or_a_message(chosen: object) -> None:
    asked = [{"from": "human", "value": "2+2?"}]
    (pair,) = preferences_of(
        "sharegpt", {"conversations": asked, "chosen": chosen, "rejected": "5", "system": "Be brief."}
    )
    assert (pair.prompt[0], pair.chosen) == (Message("system", "Be brief."), "4")
