"""Digests: equal where texts are equal, and counted without holding the texts."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.data.preparing.made import USER, canonical
from tiebreak.data.preference import Message, Preference
from tiebreak.data.preparing.digests import Digests, contradicting, digest_pairs, found_in, groups, repeated
from tiebreak.tasks import TASKS

NUMBERS = st.lists(st.integers(0, 5), max_size=40)


def _digests(numbers: list[int]) -> Digests:
    return np.array([(number, number % 2) for number in numbers], np.uint64).reshape(-1, 2)


@given(NUMBERS)
def test_groups_are_numbered_by_first_appearance(numbers: list[int]) -> None:
    order = list(dict.fromkeys(numbers))
    found, count = groups(_digests(numbers))
    assert count == len(order)
    assert found.tolist() == [order.index(number) for number in numbers]


@given(NUMBERS, NUMBERS)
def test_repetitions_and_common_rows_are_those_of_the_lists(numbers: list[int], others: list[int]) -> None:
    digests = _digests(numbers)
    assert repeated(digests).tolist() == [number in numbers[:index] for index, number in enumerate(numbers)]
    assert found_in(digests, _digests(others)).tolist() == [number in others for number in numbers]


def test_texts_that_join_alike_are_told_apart_and_a_swapped_pair_contradicts() -> None:
    other = (Message("user", "t10 t1"),)
    rows = [
        Preference(USER, "a", "b"),
        Preference(USER, "b", "a"),
        Preference(other, "1a", "b"),
        Preference(USER, "ab", ""),
        Preference(USER, "a", "a"),
    ]
    digests = digest_pairs(canonical(*rows), TASKS["preference"])
    assert groups(digests.pair)[1] == 5
    assert contradicting(digests).tolist() == [True, True, False, False, False]
    assert digests.equal.tolist() == [False, False, False, False, True]
    assert (digests.longer.tolist(), digests.shorter.tolist()) == ([1, 1, 2, 2, 1], [1, 1, 1, 0, 1])
