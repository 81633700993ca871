"""Levels, noise and turns, beside what is known of the numbers that they are worked out from."""

from __future__ import annotations

import random

import pytest

from tiebreak.doctor.curves import Turn, beginning, ending, level, turn, waver
from tiebreak.doctor.log import Curve


def curve(*values: float) -> Curve:
    return Curve(tuple(float(i) for i in range(1, len(values) + 1)), values)


def test_the_noise_of_a_curve_is_found_in_spite_of_its_trend() -> None:
    chance = random.Random(0)
    for trend in (0.0, -0.01, 0.05):
        values = tuple(1 + trend * i + chance.gauss(0, 0.1) for i in range(2000))
        assert waver(values) == pytest.approx(0.1, rel=0.1)
    spike = (*(chance.gauss(0, 0.1) for _ in range(1000)), 50.0, *(chance.gauss(0, 0.1) for _ in range(1000)))
    assert waver(spike) == pytest.approx(0.1, rel=0.1)
    assert waver((1.0, 2.0)) == waver(()) == 0.0


def test_a_short_curve_is_taken_value_by_value_and_a_long_one_by_tenths() -> None:
    short = curve(3, 2, 1)
    assert (beginning(short).value, ending(short).value, ending(short).error) == (3, 1, 0)
    long = curve(*range(100))
    assert (beginning(long).value, ending(long).value, ending(long).count) == (4.5, 94.5, 10)
    assert ending(curve(*range(8))).count == 3
    assert level(curve(2.0)).at == 1


@pytest.mark.parametrize(
    ("values", "examples", "clear", "slight"),
    [
        ((0.6, 0.5, 0.6), None, True, True),
        ((0.6, 0.5, 0.53), None, False, True),
        ((0.6, 0.5, 0.51), None, False, False),
        ((0.6, 0.5, 0.53), 10_000, True, True),
        ((0.6, 0.5, 0.53), 100, False, True),  # a twentieth of a loss of 0.5 over 100 pairs
        ((0.6, 0.5, 0.53), 25, False, False),
    ],
)
def test_a_turn_has_to_be_more_than_its_error(
    values: tuple[float, ...], examples: int | None, clear: bool, slight: bool
) -> None:
    found = turn(curve(*values), examples)
    assert found is not None
    assert (found.best, found.best_at, found.last, found.clear, found.slight) == (0.5, 2, values[-1], clear, slight)


def test_a_curve_that_ends_at_its_lowest_has_no_turn() -> None:
    assert turn(curve(0.6, 0.5), 100) is None
    assert turn(curve(0.5), 100) is None
    assert turn(Curve(), 100) is None


def turn_of_last_row() -> Turn:
    found = turn(curve(0.69, 0.65, 0.62, 0.60, 0.58, 0.56, 0.54, 0.52, 0.50, 0.60), 1000)
    assert found is not None
    return found


def test_one_high_value_at_the_end_of_a_long_curve_is_no_turn() -> None:
    calm = turn(curve(0.69, 0.6, 0.55, 0.52, 0.50, 0.50, 0.50, 0.50, 0.50, 0.60), 1000)
    assert calm is not None
    assert not turn_of_last_row().clear
    assert calm.last == pytest.approx(0.5333, abs=1e-4)
