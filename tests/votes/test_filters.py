"""Filters, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.votes.made import START, answer, vote
from tiebreak.errors import InputError
from tiebreak.votes.filters import VoteFilter
from tiebreak.votes.store import VoteStore


def test_filters_find_votes_by_each_of_their_sides(store: VoteStore) -> None:
    store.add(vote(1, left=answer("Grüße\nan ALLE"), verdict="tie", voter="ann"))
    store.add(vote(2, right=answer("x", "third"), reason="100% of it", voter="bob"))
    store.add(vote(3, prompt=(("system", "Be a Pirate_"), ("user", "Hi")), edited="Ahoy", voter="bob"))
    store.withdraw(vote(2).id)

    def numbers(**wanted: object) -> list[int]:
        return [int(each.id, 16) for each in store.votes(VoteFilter(**wanted))]  # type: ignore[arg-type]

    assert numbers() == [1, 3]
    assert numbers(withdrawn=True) == [2]
    assert numbers(withdrawn=None) == [1, 2, 3]
    assert numbers(model="third", withdrawn=None) == [2]
    assert numbers(model="base") == [1, 3]
    assert numbers(verdict="tie") == [1]
    assert numbers(voter="bob") == [3]
    assert numbers(contains="grüße\nAN") == [1]
    assert numbers(contains="pirate_") == [3]
    assert numbers(contains="pirat%") == []
    assert numbers(contains="AHOY") == [3]
    assert numbers(contains="user") == []
    assert numbers(since=START + timedelta(seconds=2)) == [3]
    assert numbers(until=START + timedelta(seconds=3), withdrawn=None) == [1, 2]
    assert store.count(VoteFilter(voter="bob", withdrawn=None)) == 2
    for text in ("\0", "\ud800"):
        with pytest.raises(InputError):
            store.votes(VoteFilter(contains=text))
