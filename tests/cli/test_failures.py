"""Every error is one failure: a message for people, JSON for programs, an exit code."""

from __future__ import annotations

import pytest

from tiebreak.cli.failures import failure_of
from tiebreak.errors import InputError, Interrupted, RunError


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (InputError("a", where="b", fix="c"), "input", 2),
        (RunError("a"), "run", 1),
        (Interrupted("a"), "interrupted", 130),
        (KeyboardInterrupt(), "interrupted", 130),
        (ValueError("a"), "internal", 1),
    ],
)
def test_a_failure_says_of_what_kind_it_is(error: BaseException, kind: str, code: int) -> None:
    failure = failure_of(error)
    assert (failure.kind, failure.exit_code) == (kind, code)
    said = failure.to_json()["error"]
    assert set(said) == {"kind", "exit_code", "what", "where", "what_to_do"}


def test_the_message_has_what_where_and_what_to_do() -> None:
    assert failure_of(InputError("a", where="b", fix="c")).message == "a\n  where: b\n  what to do: c"
