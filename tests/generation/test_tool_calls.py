"""Calls are told from text, wherever the answer is cut into pieces."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiebreak.generation.tool_calls import Call, CallReader
from tiebreak.generation.tool_notation import Notation

HERMES = Notation(("<tool_call>",), ("</tool_call>",))
MISTRAL = Notation(("[TOOL_CALLS]",), (), "list")
PLAIN = Notation(("",), ())
PYTHON_TAG = Notation(("", "<|python_tag|>"), (), several=False)
NAMED = Notation(("<function=",), ("</function>",), "named", middle=">")
ADD, SUB = '{"name": "add", "arguments": {"a": 2}}', '{"name": "sub", "parameters": {"b": "}"}}'
CALLS = [Call("add", '{"a": 2}'), Call("sub", '{"b": "}"}')]


def read(reader: CallReader, pieces: list[str]) -> tuple[str, list[Call]]:
    said, calls = "", list[Call]()
    for piece in pieces:
        text, found = reader.push(piece)
        said, calls = said + text, calls + found
        if reader.ended:
            return said, calls
    text, found = reader.finish()
    return said + text, calls + found


CASES = [
    (HERMES, "Hello.", "Hello.", []),
    (HERMES, f"<tool_call>\n{ADD}\n</tool_call>", "", CALLS[:1]),
    (HERMES, f"Let me see.\n<tool_call>\n{ADD}\n</tool_call>\n<tool_call>{SUB}</tool_call>", "Let me see.", CALLS),
    (HERMES, f"<tool_call>[{ADD}, {SUB}]</tool_call>", "", CALLS),
    (HERMES, f"<tool_call>{ADD}", "", CALLS[:1]),
    (HERMES, f"<tool_call>{ADD}</tool_call>\n<tool_response>5</tool_response>", "", CALLS[:1]),
    (HERMES, "<tool_call>no JSON</tool_call>", "<tool_call>no JSON</tool_call>", []),
    (HERMES, '<tool_call>{"name": "add", "argu', '<tool_call>{"name": "add", "argu', []),
    (HERMES, '<tool_call>{"name": "other"}', '<tool_call>{"name": "other"}', []),
    (HERMES, ADD, ADD, []),
    (HERMES, "a <tool_cal b", "a <tool_cal b", []),
    (HERMES, "<tool_call>", "<tool_call>", []),
    (HERMES, "", "", []),
    (MISTRAL, f"[TOOL_CALLS] [{ADD}, {SUB}]", "", CALLS),
    (MISTRAL, f"[TOOL_CALLS]{ADD}", "", CALLS[:1]),
    (PLAIN, ADD, "", CALLS[:1]),
    (PLAIN, f"\n {ADD}\n{SUB}", "", CALLS),
    (PLAIN, '{"key": 1}', '{"key": 1}', []),
    (PLAIN, "[1] says so", "[1] says so", []),
    (PLAIN, f"It is {ADD}", f"It is {ADD}", []),
    (PYTHON_TAG, f"<|python_tag|>{ADD}", "", CALLS[:1]),
    (PYTHON_TAG, f"{ADD}; {SUB}", "", CALLS[:1]),
    (NAMED, '<function=add>{"a": 2}</function><function=sub>{"b": "}"}</function>', "", CALLS),
    (NAMED, '<function=add {"a": 2}', '<function=add {"a": 2}', []),
    (NAMED, "<function=add>[2]</function>", "<function=add>[2]</function>", []),
]


@pytest.mark.parametrize(("notation", "answer", "said", "calls"), CASES)
def test_calls_are_told_from_text(notation: Notation, answer: str, said: str, calls: list[Call]) -> None:
    assert read(CallReader(notation, ["add", "sub"]), [answer]) == (said, calls)


@given(st.sampled_from(CASES), st.lists(st.integers(0, 90)))
def test_it_does_not_matter_where_an_answer_is_cut(
    case: tuple[Notation, str, str, list[Call]], places: list[int]
) -> None:
    notation, answer, said, calls = case
    cuts = [0, *sorted(min(place, len(answer)) for place in places), len(answer)]
    pieces = [answer[a:b] for a, b in pairwise(cuts)]
    assert read(CallReader(notation, ["add", "sub"]), pieces) == (said, calls)


@given(st.dictionaries(st.text(max_size=5), st.recursive(st.none() | st.text(max_size=8), st.lists, max_leaves=5)))
def test_arguments_come_out_as_they_were_written(arguments: dict[str, object]) -> None:
    answer = f"<tool_call>\n{json.dumps({'name': 'add', 'arguments': arguments})}\n</tool_call>"
    said, calls = read(CallReader(HERMES, ["add"]), list(answer))
    assert (said, json.loads(calls[0].arguments)) == ("", arguments)


def test_one_call_is_enough_where_several_are_not_wanted() -> None:
    for answer in (f"<tool_call>{ADD}</tool_call><tool_call>{SUB}</tool_call>", f"<tool_call>[{ADD},{SUB}]"):
        reader = CallReader(HERMES, ["add", "sub"], several=False)
        assert read(reader, [answer]) == ("", CALLS[:1])
        assert reader.ended


def test_an_answer_that_is_made_to_be_a_call_begins_inside_of_it() -> None:
    assert read(CallReader(HERMES, ["add"], begun=True), list(ADD)) == ("", CALLS[:1])
    assert read(CallReader(NAMED, ["add"], begun=True, name="add"), ['{"a"', ": 2}"]) == ("", CALLS[:1])
    assert read(CallReader(HERMES, ["add"], begun=True), ['{"name": "add", ']) == ('{"name": "add", ', [])


def test_text_is_given_as_it_comes() -> None:
    reader = CallReader(HERMES, ["add"])
    assert reader.push("It is ") == ("It is", [])
    assert reader.push("5 <to") == (" 5", [])
    assert reader.push("p>") == (" <top>", [])
