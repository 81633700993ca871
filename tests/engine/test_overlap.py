"""What is made ahead is the same as what is made at once; errors come through; the thread ends."""

from __future__ import annotations

import threading
from functools import partial

import numpy as np
import pytest
import torch

from tiebreak.engine.overlap import Ahead, read_late


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("tiebreak-ahead")]


@pytest.mark.parametrize("on", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_all_are_made_in_order_and_the_thread_ends(on: bool, count: int) -> None:
    with Ahead(on=on) as ahead:
        assert list(ahead.each(partial(pow, number, 2) for number in range(count))) == [n * n for n in range(count)]
        assert bool(_threads()) == (on and count > 0)
    assert not _threads()


def test_the_next_is_begun_before_this_one_is_used() -> None:
    begun = [threading.Event() for _ in range(3)]

    def make(number: int) -> int:
        begun[number].set()
        return number

    with Ahead(on=True) as ahead:
        found = ahead.each(partial(make, number) for number in range(3))
        assert next(found) == 0
        assert begun[1].wait(10)
        assert list(found) == [1, 2]


@pytest.mark.parametrize("on", [False, True])
def test_errors_come_where_the_result_is_asked_for(on: bool) -> None:
    def fails() -> int:
        raise ValueError("this one")

    def asked() -> None:
        with Ahead(on=on) as ahead:
            given = ahead.start(fails)
            assert ahead.start(lambda: 3)() == 3
            given()

    with pytest.raises(ValueError, match="this one"):
        asked()
    assert not _threads()


def test_it_can_be_used_again_and_what_was_not_asked_for_is_dropped() -> None:
    ahead = Ahead(on=True)
    for _ in range(2):
        ahead.start(lambda: 1)
        ahead.close()
        assert not _threads()
    assert ahead.start(lambda: 4)() == 4
    ahead.close()


def test_values_are_read_as_they_were() -> None:
    values = torch.arange(6.0).view(2, 3)
    np.testing.assert_array_equal(read_late(values)(), values.numpy())
