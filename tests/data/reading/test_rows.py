"""Values as messages show them: named, escaped, and never long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiebreak.data.reading.rows import quoted, shown


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "null"),
        (True, "the truth value true"),
        (3, "the number 3"),
        ("", "nothing"),
        (" \n", "only white space"),
        ("a\x1b[2J", r"the text 'a\x1b[2J'"),
        (b"ab", "2 bytes"),
        ({"role": "user"}, "an object with the keys 'role'"),
        ([1, 2], "a list of 2"),
        ([], "an empty list"),
        ({1}, "a set"),
    ],
)
def test_a_value_is_named_by_what_it_is(value: object, said: str) -> None:
    assert shown(value) == said


@given(st.text())
def test_quoted_text_is_one_short_printable_line(text: str) -> None:
    found = quoted(text, 10)
    assert found.isprintable()
    assert len(found) <= 2 + 10 * len(r"\U0010ffff") + 1
    assert found.endswith("…") == (len(text) > 10)
