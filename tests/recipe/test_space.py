"""What is varied of a key: how lists and ranges are written, what is drawn of them, and what is no search."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiebreak.recipe.space import Choices, Span, dimension_of, plain_dimension, value_text


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ([0.05, "1e-1"], Choices((0.05, "1e-1"))),  # the key knows whether it is a number
        (range(2, 5), Choices((2, 3, 4))),
        (np.array([1e-6, 1e-5]), Choices((1e-6, 1e-5))),
        ([np.int64(4), Path("a/b"), datetime.date(2024, 1, 2)], Choices((4, "a/b", "2024-01-02"))),
        ({"range": np.array([1, 3])}, Span(1, 3, whole=True)),
        (0.1, Choices((0.1,))),
        (["lora", None, {"kind": "lora"}], Choices(("lora", None, {"kind": "lora"}))),
        ({"log": ["1e-7", 1e-5]}, Span(1e-7, 1e-5, log=True)),
        ({"range": [1, 8]}, Span(1, 8, whole=True)),
        ({"range": [0, 1], "step": 0.25}, Span(0, 1, step=0.25)),
        ({"log": [4, 64], "points": 3}, Span(4, 64, log=True, whole=True, points=3)),
    ],
)
def test_lists_and_ranges_are_read_as_they_are_meant(written: Any, meant: Any) -> None:
    assert dimension_of(plain_dimension(written)) == meant


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"log": [1e-5, 1e-7]}, r"the ends are swapped; write log: \[1e-07, 1e-05\]"),
        ({"range": [3, 1]}, r"the ends are swapped; write range: \[1, 3\]"),
        ({"log": [0, 1]}, "log reaches down to 0"),
        ({"log": [-1, 1]}, "log reaches down to -1"),
        ({"range": [1, 1]}, "both ends are 1"),
        ({"range": [1]}, "takes two numbers"),
        ({"range": [1, "x"]}, "takes two numbers"),
        ({"range": [1, float("inf")]}, "takes two numbers"),
        ({"range": [1, True]}, "takes two numbers"),
        ({"range": [1, 2], "log": [1, 2]}, "one of range and log"),
        ({"range": [1, 2], "lo": 1}, "no 'lo'"),
        ({"range": [1, 2], "step": 3}, "step is a number"),
        ({"log": [1, 2], "step": 0.5}, "step is a number"),
        ({"range": [1, 2], "points": 1}, "at least 2"),
        ({"kind": "lora"}, "a mapping as a value stands in a list"),
        ([], "nothing to try"),
        ({1, 2}, "a set has no order"),
        ([1, 2, 1], "1 is in the list twice"),
    ],
)
def test_what_is_no_search_is_refused_in_words(written: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        plain_dimension(written)


def test_a_range_gives_what_can_be_drawn_and_its_grid_has_both_ends() -> None:
    log = Span(1e-7, 1e-5, log=True, points=3)
    assert log.on_grid() == (1e-7, 1e-6, 1e-5)
    assert log.share(1e-6) == pytest.approx(0.5)
    assert log.share(log.at(0.3)) == pytest.approx(0.3, abs=1e-4)
    assert [Span(1, 8, whole=True).at(share) for share in (0, 0.5, 1)] == [1, 4, 8]
    assert Span(0, 1, step=0.25).at(0.4) == 0.5
    assert Span(0, 1, step=0.4).at(1.0) == 0.8
    assert Span(4, 34, step=4, whole=True, points=5).on_grid() == (4, 12, 20, 28, 32)
    assert Span(1, 2, whole=True, points=5).on_grid() == (1, 2)


def test_values_are_written_as_people_read_them() -> None:
    assert [value_text(value) for value in (1e-6, 4, None, True, "lora", [0.9, 0.99])] == [
        *("1e-06", "4", "null", "true", "lora", "[0.9, 0.99]")
    ]
    assert Span(1e-7, 1e-5, log=True).written() == "1e-07 to 1e-05, each factor alike"
    assert Choices((2, 1.5)).ordered == (1.5, 2)
    assert Choices((2, "auto")).ordered is None
    assert Choices((True, 1)).ordered is None
