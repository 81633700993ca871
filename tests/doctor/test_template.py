"""Findings over what template and tokenizer make of rows: at what share each speaks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.doctor.test_data import facts, said
from tiebreak.doctor import template
from tiebreak.doctor.facts import Facts
from tiebreak.recipe import Recipe

NONE: dict[str, Any] = {
    "doubled_start": {},
    "without_end": {},
    "looked_at": 500,
    "systems": 0,
    "doubled_system": {},
    "lost_completions": {},
    "lost_turns": {},
    "completion_thoughts": 0,
    "turn_thoughts": 0,
}


def written(**counts: Any) -> Facts:
    seen = {
        name: {"count": each} if isinstance(each, int) and name not in NUMBERS else each
        for name, each in counts.items()
    }
    return facts(written={**NONE, **seen})


NUMBERS = ("looked_at", "systems", "completion_thoughts", "turn_thoughts")


@pytest.mark.parametrize("looked_at", [0, 500])
def test_rows_that_are_written_as_they_are(looked_at: int) -> None:
    for rule in (
        template.no_end_token,
        template.doubled_start_token,
        template.system_turn_twice,
        template.dropped_turn,
    ):
        assert rule(written(looked_at=looked_at)) is None
        assert rule(facts()) is None
        assert rule(Facts()) is None


@pytest.mark.parametrize(
    ("sides", "expected"),
    [({"chosen": 19}, None), ({"chosen": 3, "rejected": 20}, "note"), ({"chosen": 200}, "warning")],
)
def test_completions_without_an_end(sides: dict[str, int], expected: str | None) -> None:
    found = template.no_end_token(written(without_end={name: {"count": count} for name, count in sides.items()}))
    assert said(found) == (None if expected is None else ("no-end-token", expected))


def test_the_first_rows_are_named_and_what_cuts_is_changed() -> None:
    rows = {"chosen": {"count": 500, "examples": ["a", "b"]}}
    found = template.no_end_token(replace(written(without_end=rows), recipe=Recipe()))
    assert found is not None
    assert found.evidence[0].text == "chosen without an end 500 of 1,000 (50.0%): a, b, …"
    assert found.change == {}
    cutting = Recipe().with_settings({"data.too_long": "trim"})
    found = template.no_end_token(replace(written(without_end=rows), recipe=cutting))
    assert found is not None
    assert found.change == {"data.too_long": "drop"}


@pytest.mark.parametrize(("count", "expected"), [(9, None), (10, "note"), (200, "warning")])
def test_two_start_tokens(count: int, expected: str | None) -> None:
    found = template.doubled_start_token(written(doubled_start=count))
    assert said(found) == (None if expected is None else ("doubled-start-token", expected))


def test_special_tokens_that_are_parsed_are_what_is_changed() -> None:
    parsing = Recipe().with_settings({"data.special_tokens": "parse"})
    for recipe, change in ((Recipe(), {}), (parsing, {"data.special_tokens": "text"})):
        found = template.doubled_start_token(replace(written(doubled_start=1000), recipe=recipe))
        assert found is not None
        assert found.change == change


@pytest.mark.parametrize(("count", "expected"), [(4, None), (5, "note"), (100, "warning")])
def test_two_system_turns(count: int, expected: str | None) -> None:
    found = template.system_turn_twice(written(systems=200, doubled_system=count))
    assert said(found) == (None if expected is None else ("system-turn-twice", expected))


@pytest.mark.parametrize(
    ("completions", "turns", "thoughts", "expected"),
    [
        (4, 4, 0, None),
        (5, 0, 0, "note"),
        (0, 5, 0, "note"),
        (0, 500, 500, "note"),  # thoughts of earlier answers: on purpose
        (0, 500, 450, "warning"),
        (0, 50, 0, "warning"),
        (50, 0, 0, "warning"),
    ],
)
def test_what_a_template_leaves_out(completions: int, turns: int, thoughts: int, expected: str | None) -> None:
    found = template.dropped_turn(written(lost_completions=completions, lost_turns=turns, turn_thoughts=thoughts))
    assert said(found) == (None if expected is None else ("dropped-turn", expected))
