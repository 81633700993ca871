"""Columns guessed from names and types: always columns that the rows have."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiebreak.data.forms.names import guess

CASES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "German": (
        {"frage": "2+2?", "gut": "4", "schlecht": "5"},
        {"prompt": "frage", "chosen": "gut", "rejected": "schlecht"},
    ),
    "words in names": (
        {"user_request": "a b", "winning_reply": "c d", "losing_reply": "e f"},
        {"prompt": "user_request", "chosen": "winning_reply", "rejected": "losing_reply"},
    ),
    "two that differ in a letter": (
        {"ask": "a b", "replyx": "c d", "replyy": "e f", "pick": 1},
        {"prompt": "ask", "a": "replyx", "b": "replyy", "choice": "pick"},
    ),
    "lists": (
        {"ask": "a b", "replies_given": ["c", "d"], "stars": [3, 1]},
        {"prompt": "ask", "answers": "replies_given", "scores": "stars"},
    ),
    "objects": (
        {"task": {"text": "a b"}, "answers": {"best": "c d", "worst": "e f"}},
        {"prompt": "task.text", "chosen": "answers.best", "rejected": "answers.worst"},
    ),
    "a list of objects": (
        {"q": "a b", "replies_given": [{"txt": "c", "stars": 3}, {"txt": "d", "stars": 1}]},
        {"prompt": "q", "answers": "replies_given[*].txt", "scores": "replies_given[*].stars"},
    ),
    "two answers in an object": (
        {"question": "a b", "options": {"a": "c d", "b": "e f"}, "preferred": "a"},
        {"prompt": "question", "a": "options.a", "b": "options.b", "choice": "preferred"},
    ),
    "two answers and two scores": (
        {"ctx": "a b", "sysA": "c d", "sysB": "e f", "scoreA": 1, "scoreB": 4},
        {"prompt": "ctx", "a": "sysA", "b": "sysB", "score_a": "scoreA", "score_b": "scoreB"},
    ),
    "lists of one text": (
        {"query": "a b", "pos": ["c"], "neg": ["d"]},
        {"prompt": "query", "chosen": "pos", "rejected": "neg"},
    ),
    "messages in keys of their own": (
        {"talk": [{"who": "Q", "said": "a b"}], "good": {"who": "A", "said": "c"}, "bad": {"who": "A", "said": "d"}},
        {},
    ),
    "nothing by name": ({"text": "a b", "author": "c d"}, {}),
    "pairs without a prompt": ({"dialog": ["a b", "c"], "reply_good": "d e", "reply_bad": "f g"}, {}),
    "one answer": ({"q1": "a b", "reply": "c d"}, {"prompt": "q1", "completion": "reply"}),
    "one answer with a label": (
        {"ask": "a b", "reply": "c d", "thumb": 1},
        {"prompt": "ask", "completion": "reply", "label": "thumb"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_columns_are_guessed(case: str) -> None:
    row, expected = CASES[case]
    assert guess([row]) == expected


@settings(max_examples=50, deadline=None)
@given(st.lists(st.dictionaries(st.text(min_size=1), st.text() | st.integers() | st.none() | st.lists(st.text()))))
def test_no_column_is_named_that_the_rows_do_not_have(rows: list[dict[str, Any]]) -> None:
    if rows:
        assert set(guess(rows).values()) <= {name for row in rows for name in row}
