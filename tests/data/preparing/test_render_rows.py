"""Rows of a data set as text: their turns and tools, however the columns are typed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from datasets import Dataset

from tests.data.preparing.chat_templates import QWEN25, tokenizer_for
from tiebreak.data.preference import Message, Preference, completion_of
from tiebreak.data.preparing.completions import CompletionWriter
from tiebreak.data.preparing.render_rows import render_rows
from tiebreak.data.preparing.templates import Renderer

PLAIN = Preference((Message("user", "a"),), "b", "c")
CALL = '[{"type": "function", "function": {"name": "f", "arguments": {}}}]'
TOOLS = '[{"type": "function", "function": {"name": "f"}}]'
ANSWER = completion_of([Message("assistant", "", tool_calls=CALL), Message("tool", "r"), Message("assistant", "d")])
SEVERAL = dataclasses.replace(PLAIN, tools=TOOLS, chosen=ANSWER[0], chosen_turns=ANSWER[1])


def rendered(dataset: Dataset) -> Any:
    writer = CompletionWriter(Renderer(tokenizer_for(QWEN25), "chat"))
    (part,) = render_rows(dataset, ("chosen", "rejected"), writer)
    return part


@pytest.mark.parametrize("features", [None, Preference.features()])
def test_rows_are_read_whether_or_not_their_columns_have_types(features: Any) -> None:
    rows = Dataset.from_list([PLAIN.to_row()], features=features)
    assert rendered(rows).texts[0].completions == ((("b", True),), (("c", True),))
    older = rows.remove_columns(["tools", "chosen_turns", "rejected_turns"])
    assert rendered(older).texts == rendered(rows).texts


def test_each_row_has_its_own_turns_and_tools() -> None:
    rows = Dataset.from_list([PLAIN.to_row(), SEVERAL.to_row(), PLAIN.to_row()], features=Preference.features())
    part = rendered(rows.select([2, 1, 0]))
    assert part.tools == [None, TOOLS, None]
    assert [len(text.completions[0]) for text in part.texts] == [1, 3, 1]
    assert "<tools>" in part.texts[1].prompt
    assert part.texts[0] == part.texts[2]


def test_rows_that_cannot_be_written_are_named_with_the_reason() -> None:
    writer = CompletionWriter(Renderer(tokenizer_for(QWEN25), "transcript"))
    rows = Dataset.from_list([PLAIN.to_row(), SEVERAL.to_row()], features=Preference.features())
    (part,) = render_rows(rows, ("chosen", "rejected"), writer)
    assert (part.rows, part.refused) == ([0], {1: "the transcript form has no tools"})
