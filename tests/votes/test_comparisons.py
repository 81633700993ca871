"""Comparisons, and how far voters agree on them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest

from tests.votes.made import START, answer, compared, vote
from tiebreak.votes.comparisons import Agreement
from tiebreak.votes.count import tally
from tiebreak.votes.vote import Vote


def agreement(votes: Iterable[Vote]) -> Agreement:
    return tally(votes).agreement


def test_agreement_is_the_share_of_pairs_of_voters_with_one_verdict() -> None:
    """Three voters on one comparison: one pair of three agrees; two on another agree: 2 of 4. Sides do not matter."""
    votes = [
        compared("left", "ann"),
        vote(1, prompt=(("user", "Question?"),), left=answer("B"), right=answer(" A\n"), verdict="right", voter="bob"),
        compared("tie", "cid", 2),
        compared("left", "ann", 3, "C", "D"),
        compared("left", "bob", 4, "C", "D"),
        compared("left", "ann", 5, "alone", "E"),
        compared("left", "ann", 6, "same", "same"),
        compared("right", "bob", 7, "same", "same"),
    ]
    found = agreement(votes)
    assert (found.pairs, found.comparisons) == (4, 2)
    assert found.share == pytest.approx(2 / 4)


def test_a_voter_who_votes_again_counts_with_the_last_vote() -> None:
    first, second = compared("right", "ann"), compared("left", "ann", 1)
    other = compared("left", "bob", 2)
    assert agreement([second, other, first]).share == 1.0
    assert agreement([first, other]).share == 0.0
    later = compared("right", "ann", 3, time=START + timedelta(days=1))
    assert agreement([later, second, other]).share == 0.0


def test_tie_and_both_bad_do_not_agree() -> None:
    assert agreement([compared("tie", "ann"), compared("both_bad", "bob", 1)]).share == 0.0
