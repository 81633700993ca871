"""The public API by name: each is there when it is asked for, and old names say what they are called now."""

from __future__ import annotations

import pickle

import pytest

import tiebreak
from tiebreak.errors import InputError


@pytest.mark.parametrize("name", tiebreak.__all__)
def test_a_name_is_there(name: str) -> None:
    assert getattr(tiebreak, name) is not None
    assert name in dir(tiebreak)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LabelledCompletion", "UnpairedCompletion"),
        ("LabelledTrainer", "UnpairedTrainer"),
        ("load_labelled", "load_unpaired"),
    ],
)
def test_a_name_of_before_works_and_warns(old: str, new: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"tiebreak.{old} is now called tiebreak.{new}"):
        found = getattr(tiebreak, old)
    assert found is getattr(tiebreak, new)
    assert old not in dir(tiebreak)


def test_another_name_is_none() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = tiebreak.trian


def test_errors_survive_the_way_between_processes() -> None:
    again = pickle.loads(pickle.dumps(InputError("It is empty.", where="pairs.jsonl", fix="fill it")))
    assert (type(again), again.what, again.where, again.fix) == (InputError, "It is empty.", "pairs.jsonl", "fill it")
