"""Slices and rules: every pair is in one slice of a kind, and a rule is what it says."""

from __future__ import annotations

import numpy as np
import pytest

from tests.evaluate.tables import measured
from tiebreak.evaluate.breakdown import Breakdown, broken_down

RANDOM = np.random.default_rng(0)


def slices(found: Breakdown, by: str) -> dict[str, tuple[int, float]]:
    return {part.name: (part.pairs, part.accuracy.value) for part in found.slices if part.by == by}


def test_a_model_that_only_knows_lengths_shows_it() -> None:
    longer = RANDOM.integers(-20, 21, size=300)
    found = broken_down(measured(longer.astype(float).tolist(), longer=longer.tolist()))
    kinds = slices(found, "longer completion")
    assert kinds == {
        "chosen": (int((longer > 0).sum()), 1.0),
        "rejected": (int((longer < 0).sum()), 0.0),
        "neither": (int((longer == 0).sum()), 0.5),
    }
    rules = {rule.name: rule.accuracy.value for rule in found.rules}
    assert rules["the longer completion"] == pytest.approx(found.accuracy.value)
    assert rules["the longer completion"] + rules["the shorter completion"] == pytest.approx(1.0)
    assert found.length_controlled is not None
    assert found.length_controlled.low < 0.5 < found.length_controlled.high


def test_the_reference_is_a_rule_where_there_is_one() -> None:
    likelier = RANDOM.normal(size=50)
    found = broken_down(measured([1.0] * 50, reference=likelier.tolist()))
    assert found.rules[-1].name == "the likelier under the reference"
    assert found.rules[-1].accuracy.value == pytest.approx((likelier > 0).mean())


def test_slices_of_a_kind_share_the_pairs_out() -> None:
    tokens = RANDOM.integers(1, 400, size=500)
    turns = RANDOM.integers(1, 9, size=500)
    found = broken_down(measured([1.0] * 500, prompt_tokens=tokens.tolist(), turns=turns.tolist()))
    parts = slices(found, "tokens of the prompt")
    assert len(parts) == 4
    assert sum(count for count, _ in parts.values()) == 500
    assert all(100 <= count <= 150 for count, _ in parts.values())
    by_turns = slices(found, "turns of the user")
    assert list(by_turns) == ["1", "2", "3", "4 and more"]
    assert by_turns["4 and more"][0] == int((turns >= 4).sum())


def test_a_kind_with_one_slice_says_nothing() -> None:
    assert broken_down(measured([1.0, -1.0, 2.0])).slices == ()
    none: list[str | None] = [None] * 3
    assert broken_down(measured([1.0, -1.0, 2.0], tags={"source": ["a"] * 3, "category": none})).slices == ()


def test_sources_stand_by_how_many_pairs_they_have() -> None:
    found = broken_down(measured([1.0, -1.0, 2.0, 0.0, 1.0], tags={"source": ["b", "a", "a", None, "c"]}))
    kinds = slices(found, "source")
    assert kinds == {"a": (2, 0.5), "b": (1, 1.0), "c": (1, 1.0), "none given": (1, 0.5)}
    assert list(kinds) == ["a", "b", "c", "none given"]
    assert {part.by for part in found.slices} == {"source"}


def test_of_many_categories_twelve_are_named() -> None:
    tags = [f"k{number:02}" for number in range(14) for _ in range(20 - number)]
    found = slices(broken_down(measured([1.0] * len(tags), tags={"category": tags})), "category")
    assert list(found) == [f"k{number:02}" for number in range(12)] + ["others"]
    assert found["k00"] == (20, 1.0)
    assert found["others"] == (8 + 7, 1.0)
    twelve = slices(broken_down(measured([1.0] * 12, tags={"category": [f"{n:02}" for n in range(12)]})), "category")
    assert list(twelve) == [f"{number:02}" for number in range(12)]


def test_a_category_that_is_called_others_is_not_the_others() -> None:
    tags = ["others", "none given", None, "x"]
    found = slices(broken_down(measured([1.0] * 4, tags={"category": tags})), "category")
    assert list(found) == ["'none given'", "'others'", "x", "none given"]


def test_a_slice_has_the_intervals_that_its_pairs_have_alone() -> None:
    margins = RANDOM.normal(size=60).tolist()
    tags = [("x", "y")[number % 2] for number in range(60)]
    found = broken_down(measured(margins, tags={"source": tags}))
    alone = broken_down(measured(margins[::2]))
    part = found.slices[0]
    assert (part.by, part.name, part.accuracy, part.loss) == ("source", "x", alone.accuracy, alone.loss)
    assert part.loss is not None
    assert part.loss.low < part.loss.value < part.loss.high


def test_prompts_of_few_lengths_are_cut_between_lengths() -> None:
    found = broken_down(measured([1.0] * 10, prompt_tokens=[5] * 8 + [6, 7]))
    assert slices(found, "tokens of the prompt") == {"5": (8, 1.0), "6–7": (2, 1.0)}


def test_pairs_of_one_prompt_count_as_one_prompt() -> None:
    found = broken_down(measured([1.0] * 30 + [-1.0] * 10, prompts=["a"] * 30 + ["b"] * 10))
    assert (found.pairs, found.prompts) == (40, 2)
    assert (found.accuracy.low, found.accuracy.value, found.accuracy.high) == (0.0, 0.75, 1.0)
