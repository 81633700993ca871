"""What else changed: each trait by hand, and the table of all."""

from __future__ import annotations

import pytest

from tiebreak.evaluate.answers import repetition
from tiebreak.evaluate.changes import changes, refuses


@pytest.mark.parametrize(
    ("answer", "share"),
    [("", 0.0), ("a b c", 0.0), ("a b c d", 0.0), ("a b c d a b c d", 1 / 5), ("x x x x x x", 2 / 3)],
)
def test_repeated_four_grams(answer: str, share: float) -> None:
    assert repetition(answer, words=4) == pytest.approx(share)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("I can’t help with that.", True),
        ("I'm sorry, but no.", True),
        ("You can, I cannot stress it enough", True),  # phrases are all that is looked for
        ("Sure, here it is.", False),
        ("Sure. " * 60 + "I cannot say more.", False),
        ("", False),
    ],
)
def test_refusals_are_phrases_near_the_beginning(answer: str, found: bool) -> None:
    assert refuses(answer) is found


def test_the_table_has_before_after_and_the_difference() -> None:
    before, after = ["one two", "I cannot"], ["one", "two"]
    found = changes(before, after, tokens=([2, 2], [1, 1]), ended=([False, True], [True, True]))
    assert [(change.before, change.after) for change in found] == [(2, 1), (0, 0), (0.5, 1.0), (0.5, 0.0)]
    assert [change.difference.value for change in found] == [-1, 0, 0.5, -0.5]
    assert [change.share for change in found] == [False, True, True, True]
    assert found[0].difference.low == found[0].difference.high == -1
