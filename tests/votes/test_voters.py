"""Keys of voters, and the names that stand with their votes."""

from __future__ import annotations

import pytest

from tiebreak.errors import InputError
from tiebreak.votes.checks import check_voter
from tiebreak.votes.voters import is_name, known_voter, new_voter, stewards_of, voter_of


@pytest.mark.parametrize("sent", [None, "", "anna@post.invalid", "127.0.0.1", "x" * 129, 7, {"a": 1}, "a b"])
def test_what_is_no_key_of_a_voter_is_none(sent: object) -> None:
    assert known_voter(sent) is None


def test_new_keys_are_keys_and_never_the_same() -> None:
    keys = {new_voter() for _ in range(50)}
    assert len(keys) == 50
    assert all(known_voter(key) == key for key in keys)


def test_a_name_follows_from_its_key_and_is_no_key() -> None:
    key = new_voter()
    name = voter_of(key)
    assert name == voter_of(key) != voter_of(new_voter())
    assert key not in name
    check_voter(name)
    assert is_name(name)
    assert known_voter(name) is None


def test_stewards_are_given_by_key_or_by_name_one_or_several() -> None:
    names = {voter_of("first-key"), voter_of("second-key")}
    assert stewards_of(("first-key", "second-key")) == names
    assert stewards_of(("first-key, second-key",)) == names
    assert stewards_of((voter_of("first-key"), "second-key")) == names
    assert stewards_of(()) == frozenset()


@pytest.mark.parametrize("given", ["short", "anna@post.invalid", "x" * 129])
def test_a_steward_whose_key_is_none_or_can_be_guessed_is_refused_without_naming_it(given: str) -> None:
    with pytest.raises(InputError) as refused:
        stewards_of((given,))
    assert given not in str(refused.value)
