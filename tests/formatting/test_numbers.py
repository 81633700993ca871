"""Numbers are written for people."""

from __future__ import annotations

import math

import pytest

from tiebreak.formatting.numbers import decimal, duration, hundredths, plain, share_of, signed, when, wilson


def test_the_interval_of_a_share_stays_within_nought_and_one() -> None:
    assert wilson(1.0, 10)[1] == pytest.approx(1.0)
    assert wilson(0.0, 10)[0] == pytest.approx(0.0)
    low, high = wilson(0.8125, 400)
    assert (round(low, 3), round(high, 3)) == (0.771, 0.848)


def test_figures_are_written_for_people() -> None:
    assert [duration(seconds) for seconds in (4.21, 59.6, 200, 7500)] == [
        "4.2 s",
        "1 min 0 s",
        "3 min 20 s",
        "2 h 5 min",
    ]
    assert [plain(value) for value in (1e-6, 0.05, 12.5, 1e20)] == ["1e-6", "0.05", "12.5", "1e20"]
    assert share_of(1200, 4800) == "1,200 of 4,800 (25.0%)"
    assert when("2026-03-02T10:15:00+00:00") == "2026-03-02 10:15 UTC"
    assert when("yesterday") == "yesterday"


def test_a_difference_has_a_sign_unless_it_is_written_as_nought() -> None:
    assert [signed(value) for value in (1.382, -0.25, 0.004, -0.004, None, math.inf)] == [
        "+1.38",
        "−0.25",
        "0.00",
        "0.00",
        "–",
        "not finite",
    ]
    assert [signed(value, digits=4) for value in (0.004, -1.7e-5, -4e-5)] == ["+0.0040", "0.0000", "0.0000"]
    assert signed(-6e-5, digits=4) == "−0.0001"


def test_losses_and_log_probs() -> None:
    assert [decimal(value) for value in (0.43124, 2e6)] == ["0.4312", "2.00e+06"]
    assert [hundredths(value) for value in (-40.123, 3.0)] == ["−40.12", "3.00"]
