"""Speed is that of the steps; the time left is that of everything."""

from __future__ import annotations

import pytest

from tiebreak.training.pace import Pace, memory_held


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_speed_is_of_the_steps_since_it_was_asked_and_time_left_of_all() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.begin(10, 20)  # gone on with
    for step in (11, 12):
        clock.now += 3.0  # an evaluation
        pace.begin_step()
        clock.now += 2.0
        pace.end_step(step, 8, 400)
    speed = pace.take()
    assert speed is not None
    assert (speed.examples, speed.tokens) == (4.0, 200.0)
    assert speed.left == pytest.approx(8 * 5.0)
    assert speed.memory > 0
    pace.begin_step()
    clock.now += 1.0
    pace.end_step(13, 4, 100)
    again = pace.take()
    assert again is not None
    assert (again.examples, again.tokens) == (4.0, 100.0)


def test_without_a_step_there_is_no_speed() -> None:
    pace = Pace(Clock())
    assert pace.take() is None
    pace.begin(0, 5)
    assert pace.take() is None


def test_memory_is_that_of_this_process() -> None:
    assert 50e6 < memory_held() < 1e12
