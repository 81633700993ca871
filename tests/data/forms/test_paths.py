"""Paths and templates: what they reach, and what they say of what is not there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiebreak.data.forms.paths import parse, parse_path, unpacked
from tiebreak.errors import InputError

ROW: dict[str, Any] = {
    "q": "Q",
    "info": {"post": "P", "title": None, "n": 3},
    "all": [{"t": "x", "s": 1}, {"t": "y"}, "z"],
    "cell": '{"a": ["b", {"c": "d"}]}',
    "a.b": "point",
    "empty": [],
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("q", "Q"),
        ("nothing", None),
        ("info.post", "P"),
        ("info.title", None),
        ("info.post.more", None),
        ("all[0].t", "x"),
        ("all[-1]", "z"),
        ("all[7].t", None),
        ("all[*].t", ["x", "y", None]),
        ("q[*].t", None),
        ("cell.a[1].c", "d"),
        ("a.b", "point"),
        ("nothing|q", "Q"),
        ("empty|q", "Q"),
        ("info.title|info.post", "P"),
        ("{q}: {info.post}", "Q: P"),
        ("{info.title}\n\n{info.post}", "P"),
        ("{q}\n\n{info.title}", "Q"),
        ("{info.title}", None),
        ("{q} ({info.n})", "Q (3)"),
        ("Title: {info.title} Post: {info.post}", " Post: P"),
    ],
)
def test_a_path_reaches_into_a_row(path: str, found: object) -> None:
    assert parse(path).get(ROW) == found


def test_a_template_of_what_is_no_text_is_left_to_the_reader_of_the_role() -> None:
    assert not isinstance(parse("{all}").get(ROW), str)


@pytest.mark.parametrize("text", ["", "a..b", "a[", "a[x]", "[0]", "*", "{a", "a}{b}", "{a..b}"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse(text)


def test_a_path_knows_its_column() -> None:
    assert parse_path("info.post[0]").column == "info"
    assert parse("{a.x} {b|c}").columns == {"a", "b", "c"}


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_a_cell_of_json_is_opened_and_nothing_else_is(value: Any) -> None:
    if isinstance(value, list | dict):
        assert unpacked(json.dumps(value)) == value
    elif isinstance(value, str) and not value.startswith(("[", "{")):
        assert unpacked(value) == value


@pytest.mark.parametrize("text", ["[citation needed]", "{not json}", "[1, 2", "['a' 'b' + 1]", "[__import__('os')]"])
def test_text_in_brackets_stays_text(text: str) -> None:
    assert unpacked(text) == text
