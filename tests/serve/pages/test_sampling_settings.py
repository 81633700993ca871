"""What a visitor sends is held against the bounds, whatever the page itself allows."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tiebreak.errors import InputError
from tiebreak.serve.pages import PageSettings
from tiebreak.serve.pages.sampling_settings import checked_text, sampling_of

SETTINGS = PageSettings(max_tokens=50, max_prompt_chars=10)
FINE: dict[str, Any] = {"system": None, "temperature": 0.7, "top_p": 1, "length": 20, "seed": None}


def test_settings_within_their_bounds_are_taken() -> None:
    sampling = sampling_of(SETTINGS, **(FINE | {"system": " Brief. ", "seed": " 3 "}))
    assert (sampling.system, sampling.seed, sampling.max_tokens) == ("Brief.", 3, 20)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 2.1),
        ("temperature", -1),
        ("temperature", math.nan),
        ("temperature", "0.7"),
        ("temperature", None),
        ("top_p", 0),
        ("top_p", math.inf),
        ("length", 51),
        ("length", 0),
        ("length", True),
        ("seed", "-1"),
        ("seed", str(2**31)),
        ("seed", "9" * 5000),
        ("seed", "1.5"),
        ("seed", 7),
        ("system", "x" * 11),
        ("system", ["x"]),
    ],
)
def test_settings_out_of_their_bounds_are_refused_with_a_sentence(name: str, value: object) -> None:
    with pytest.raises(InputError, match=r"must be|longer than"):
        sampling_of(SETTINGS, **(FINE | {name: value}))


def test_text_that_no_database_keeps_becomes_signs() -> None:
    assert checked_text("a\0b\ud800c", "text", 10) == "a\ufffdb?c"
