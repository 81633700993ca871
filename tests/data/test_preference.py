"""Canonical rows: written as plain values and read back, with the columns that the table of tasks relies on."""

from __future__ import annotations

import dataclasses
from typing import Any

import pyarrow as pa
import pytest

from tiebreak.data.preference import (
    CanonicalRow,
    Demonstration,
    Message,
    Preference,
    UnpairedCompletion,
    completion_of,
    messages_from,
    row_class,
)
from tiebreak.tasks import TASKS, TaskName

PROMPT = (Message("system", "Be brief."), Message("user", "2+2?"))
CALL = Message("assistant", "", tool_calls='[{"function": {"name": "sum"}}]', reasoning_content="Use the tool.")
TURNS = (CALL, Message("tool", "4", tool_call_id="c1", name="sum"), Message("assistant", "It is 4."))
ROWS: dict[TaskName, CanonicalRow] = {
    "preference": Preference(PROMPT, "4", "5", "a", 0.5, 9.0, 1.0),
    "unpaired": UnpairedCompletion(PROMPT, "4", False, "b", 2.0),
    "supervised": Demonstration(PROMPT, "4", "c", 1.0),
}


@pytest.mark.parametrize("task", TASKS)
def test_a_row_of_several_turns_and_tools_reads_back_as_the_same(task: TaskName) -> None:
    fields: dict[str, Any] = {f"{name}_turns": TURNS for name in TASKS[task].text_columns}
    row = dataclasses.replace(ROWS[task], tools="[]", **fields)
    table = pa.Table.from_pylist([row.to_row(), ROWS[task].to_row()], schema=row_class(task).features().arrow_schema)
    assert [type(row).from_row(each) for each in table.to_pylist()] == [row, ROWS[task]]


def test_a_plain_answer_is_its_text_alone() -> None:
    assert completion_of([Message("assistant", " 4\n")]) == (" 4\n", ())


def test_a_completion_of_several_turns_is_readable_and_keeps_them() -> None:
    text, turns = completion_of(TURNS)
    assert turns == TURNS
    assert text == 'Use the tool.\n[{"function": {"name": "sum"}}]\n\ntool: 4\n\nassistant: It is 4.'
    assert completion_of([CALL])[1] == (CALL,)


def test_null_in_a_message_is_nothing() -> None:
    row = {"role": "user", "content": "hi", "tool_calls": None, "name": None}
    assert messages_from([row]) == (Message("user", "hi"),)
    assert Message("user", "hi").to_row() == {"role": "user", "content": "hi"}


@pytest.mark.parametrize("task", TASKS)
def test_a_row_reads_back_as_the_same(task: TaskName) -> None:
    row = ROWS[task]
    assert isinstance(row, row_class(task))
    assert type(row).from_row(row.to_row()) == row


@pytest.mark.parametrize("task", TASKS)
def test_the_columns_of_a_row_are_its_fields_and_have_types(task: TaskName) -> None:
    found = row_class(task)
    names = [field.name for field in dataclasses.fields(found)]
    assert list(found.features()) == list(ROWS[task].to_row()) == names
    assert set(TASKS[task].text_columns) < set(names)


def test_what_a_row_does_not_say_is_plain() -> None:
    row = Preference.from_row({"prompt": [{"role": "user", "content": "hi"}], "chosen": "a", "rejected": "b"})
    assert row == Preference((Message("user", "hi"),), "a", "b", None, 1.0, None, None)
