"""An error is what, where and what to do, in one text; its kind is its exit code."""

from __future__ import annotations

import pytest

from tiebreak.errors import InputError, Interrupted, RunError, TiebreakError


def test_what_where_and_what_to_do_are_one_text() -> None:
    text = str(InputError("It is empty.", where="pairs.jsonl:3", fix="fill it"))
    assert text.index("It is empty.") < text.index("pairs.jsonl:3") < text.index("fill it")
    assert str(RunError("It is empty.")) == "It is empty."


def test_on_a_page_what_and_what_to_do_are_a_paragraph() -> None:
    assert InputError("It is empty.", where="pairs.jsonl:3", fix="fill it").sentences == "It is empty. Fill it."
    assert RunError("It is empty.").sentences == "It is empty."


@pytest.mark.parametrize(("kind", "code"), [(InputError, 2), (RunError, 1), (Interrupted, 130)])
def test_a_kind_has_its_exit_code(kind: type[TiebreakError], code: int) -> None:
    assert kind("It is so.").exit_code == code
    assert issubclass(kind, TiebreakError)
