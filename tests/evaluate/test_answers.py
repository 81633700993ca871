"""How long answers are, and how much of them is said again."""

from __future__ import annotations

import pytest

from tiebreak.evaluate.answers import answer_stats, repetition


@pytest.mark.parametrize(
    ("answer", "share"),
    [
        ("", 0.0),
        ("two words", 0.0),
        ("no three words of this are said twice", 0.0),
        ("a b c a b c", 0.25),  # abc, bca, cab, abc
        ("no " * 100, 1 - 1 / 98),
    ],
)
def test_repetition_is_the_share_of_triples_that_were_there_before(answer: str, share: float) -> None:
    assert repetition(answer) == pytest.approx(share)


def test_stats_are_means_over_answers() -> None:
    found = answer_stats(["a b c a b c", "short"], [6, 1])
    assert (found.tokens, found.repetition) == (3.5, 0.125)
