"""Findings over what answers became: where each must speak, and where the difference may be chance."""

from __future__ import annotations

from typing import Any

import pytest

from tiebreak.doctor import answers
from tiebreak.doctor.facts import Facts
from tiebreak.doctor.finding import Finding
from tiebreak.doctor.registry import diagnose
from tiebreak.evaluate.answers import answer_stats
from tiebreak.evaluate.changes import changes
from tiebreak.recipe import parse_recipe
from tiebreak.runs.outcome import AnswersRecord, ChangeRecord


def facts(name: str, before: float, after: float, low: float, high: float, **more: Any) -> Facts:
    difference = {"value": (low + high) / 2, "low": low, "high": high}
    plain = {"name": name, "before": before, "after": after, "difference": difference, "share": False, **more}
    stats = answer_stats(["a"], [1])
    record = AnswersRecord(prompts=9, before=stats, after=stats, changes=(ChangeRecord.model_validate(plain),))
    return Facts(answers=record)


def severity(finding: Finding | None) -> str | None:
    return None if finding is None else finding.severity


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(-0.1, 0.1, None), (-0.3, -0.04, None), (-0.2, -0.06, "note"), (-0.5, -0.2, "warning"), (0.2, 0.5, None)],
)
def test_answers_that_no_longer_end(low: float, high: float, expected: str | None) -> None:
    assert severity(answers.run_on(facts(answers.ENDS, 0.9, 0.6, low, high, share=True))) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(-0.1, 0.1, None), (0.01, 0.3, None), (0.02, 0.1, "note"), (0.1, 0.4, "warning"), (-0.4, -0.1, None)],
)
def test_answers_that_repeat_themselves(low: float, high: float, expected: str | None) -> None:
    assert severity(answers.repeating(facts(answers.REPEATED, 0.0, 0.2, low, high, share=True))) == expected


@pytest.mark.parametrize(
    ("after", "low", "expected"),
    [(140, 10, None), (150, 10, "note"), (290, 10, "note"), (300, 10, "warning"), (300, -1, None), (50, -60, None)],
)
def test_answers_that_grew(after: float, low: float, expected: str | None) -> None:
    assert severity(answers.longer(facts(answers.TOKENS, 100, after, low, 400))) == expected


@pytest.mark.parametrize(
    ("low", "unit", "expected"),
    [(-0.1, "nats a token", None), (0.04, "nats a token", None), (0.05, "nats a token", "note"),
     (0.5, "nats a token", "warning"), (0.5, "bits a byte", None)],
)  # fmt: skip
def test_english_that_was_lost(low: float, unit: str, expected: str | None) -> None:
    assert severity(answers.language_lost(facts(answers.TEXT, 20, 40, low, 1.0, unit=unit))) == expected


def test_what_to_change_is_said_where_the_recipe_is_known() -> None:
    found = facts(answers.REPEATED, 0.0, 0.2, 0.1, 0.4, share=True)
    recipe = parse_recipe({"model": "a/Model-7B", "data": "b", "train": {"learning_rate": 1e-5}}, where="test")
    (finding,) = diagnose(Facts(answers=found.answers))
    assert dict(finding.change) == {}
    known = answers.repeating(Facts(answers=found.answers, recipe=recipe))
    assert known is not None
    assert known.change["train.learning_rate"] == "1e-6"


def test_the_traits_are_those_that_are_measured() -> None:
    table = changes(["a b"], ["a b"], tokens=([2], [2]), ended=([True], [True]))
    assert {answers.ENDS, answers.REPEATED, answers.TOKENS} <= {change.name for change in table}


def test_nothing_is_said_where_nothing_was_measured() -> None:
    assert diagnose(Facts()) == ()
