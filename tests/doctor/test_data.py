"""Findings over data: where each must speak, and where it must not."""

from __future__ import annotations

from typing import Any

import pytest

from tiebreak.doctor import data
from tiebreak.doctor.facts import Facts
from tiebreak.doctor.finding import Finding
from tiebreak.doctor.registry import diagnose
from tiebreak.runs.manifest import DataRecord

SOUND: dict[str, Any] = {
    "pairs": 1000,
    "looked_at": 1000,
    "chosen_longer": 500,
    "rejected_longer": 490,
    "separator": None,
    "other_script": 0,
    "scored": 0,
    "scored_lower": 0,
    "sources": 0,
    "main_source": None,
    "of_main_source": 0,
    "emails": 0,
    "secrets": 0,
    "held_out": 100,
    "near_held_out": 0,
}


def facts(traits: dict[str, Any] | None = None, **record: Any) -> Facts:
    plain = {"source": "a.jsonl", "train": 1000, "held_out": 1000, "traits": {**SOUND, **(traits or {})}, **record}
    return Facts(data=DataRecord.model_validate(plain))


def said(finding: Finding | None) -> tuple[str, str] | None:
    return None if finding is None else (finding.name, finding.severity)


def test_sound_data_have_no_finding() -> None:
    assert diagnose(facts()) == ()
    assert diagnose(Facts(data=DataRecord(source="a"))) == ()


@pytest.mark.parametrize(
    ("gone", "trimmed", "expected"),
    [
        (0, {}, None),
        (10, {}, None),
        (30, {}, ("cut-by-length", "note")),
        (0, {"prompt trimmed": 100}, ("cut-by-length", "note")),
        (0, {"prompt and completion trimmed": 300}, ("cut-by-length", "warning")),
        (3000, {}, ("cut-by-length", "warning")),
    ],
)
def test_what_the_length_limit_drops_and_cuts(gone: int, trimmed: Any, expected: Any) -> None:
    found = data.cut_by_length(facts(dropped={"too long": gone}, trimmed=trimmed))
    assert said(found) == expected
    if found is not None and "prompt and completion trimmed" in trimmed:
        assert found.evidence[-1].text == "of them completions cut 300 of 1,000 (30.0%)"


@pytest.mark.parametrize(("pairs", "expected"), [(500, None), (499, "note"), (50, "note"), (49, "warning")])
def test_few_pairs(pairs: int, expected: str | None) -> None:
    found = data.few_pairs(facts(train=pairs))
    assert (None if found is None else found.severity) == expected


@pytest.mark.parametrize(
    ("rule", "reason", "few", "some", "many"),
    [
        (data.repeated_pairs, "exact duplicates", 20, 100, 1000),
        (data.equal_completions, "equal completions", 10, 40, 400),
    ],
)
def test_rows_that_are_not_used(rule: Any, reason: str, few: int, some: int, many: int) -> None:
    found = [rule(facts(dropped={reason: count})) for count in (0, few, some, many)]
    assert [None if each is None else each.severity for each in found] == [None, None, "note", "warning"]


@pytest.mark.parametrize(("count", "expected"), [(None, None), (0, None), (9, None), (20, "note"), (100, "warning")])
def test_pairs_that_contradict(count: int | None, expected: str | None) -> None:
    found = data.contradicting_pairs(facts(contradicting=count))
    assert (None if found is None else found.severity) == expected


@pytest.mark.parametrize(("near", "expected"), [(0, None), (1, "note"), (24, "note"), (25, "warning")])
def test_held_out_prompts_that_are_nearly_those_of_training(near: int, expected: str | None) -> None:
    found = data.near_held_out(facts({"near_held_out": near}))
    assert (None if found is None else found.severity) == expected
    assert data.near_held_out(facts({"held_out": 0})) is None


@pytest.mark.parametrize(
    ("chosen", "rejected", "expected"),
    [
        (620, 380, None),  # its interval reaches below 60%
        (640, 360, "note"),
        (360, 640, "note"),
        (800, 200, "warning"),
        (9, 1, None),  # ten pairs say nothing
        (18, 2, "note"),
    ],
)
def test_length_that_tells_the_sides_apart(chosen: int, rejected: int, expected: str | None) -> None:
    found = data.length_bias(facts({"chosen_longer": chosen, "rejected_longer": rejected}))
    assert (None if found is None else found.severity) == expected
    if found is not None:
        assert ("longer" if chosen > rejected else "shorter") in found.title


def _separator(there: int, elsewhere: int) -> dict[str, Any]:
    word = {"what": 'the word "sorry"', "side": "rejected", "pairs": 500, "there": there, "elsewhere": elsewhere}
    return {"separator": word}


@pytest.mark.parametrize(
    ("there", "elsewhere", "expected"),
    [(0, 0, None), (100, 20, None), (200, 30, "note"), (400, 5, "warning")],
)
def test_style_that_tells_the_sides_apart(there: int, elsewhere: int, expected: str | None) -> None:
    found = data.style_bias(facts(_separator(there, elsewhere)))
    assert (None if found is None else found.severity) == expected


def test_of_length_and_a_word_that_says_no_more_only_length_is_said() -> None:
    both = {**_separator(200, 30), "chosen_longer": 100, "rejected_longer": 900}
    assert [finding.name for finding in diagnose(facts(both))] == ["length-bias"]


@pytest.mark.parametrize(
    ("scored", "lower", "expected"),
    [(0, 0, None), (10, 10, None), (1000, 500, None), (1000, 100, None), (1000, 600, "warning"), (1000, 950, "stop")],
)
def test_scores_that_stand_the_other_way_round(scored: int, lower: int, expected: str | None) -> None:
    found = data.reversed_scores(facts({"scored": scored, "scored_lower": lower}))
    assert said(found) == (None if expected is None else ("reversed-columns", expected))


@pytest.mark.parametrize(("pairs", "expected"), [(0, None), (10, None), (20, "note"), (200, "warning")])
def test_two_scripts(pairs: int, expected: str | None) -> None:
    found = data.mixed_scripts(facts({"other_script": pairs}))
    assert (None if found is None else found.severity) == expected


@pytest.mark.parametrize(
    ("sources", "main", "speaks"), [(0, 0, False), (1, 1000, False), (2, 890, False), (2, 950, True)]
)
def test_one_source(sources: int, main: int, speaks: bool) -> None:
    found = data.one_source(facts({"sources": sources, "main_source": "a\nb", "of_main_source": main}))
    assert (found is not None) == speaks
    if found is not None:
        assert found.evidence[0].what == "pairs of a b"


def test_private_text() -> None:
    assert data.private_text(facts()) is None
    found = data.private_text(facts({"secrets": 2}))
    assert found is not None
    assert [figure.what for figure in found.evidence] == ["pairs with what looks like a key"]
