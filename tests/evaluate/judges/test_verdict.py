"""A reply is a verdict only where it is the object that was asked for."""

from __future__ import annotations

import json

import pytest

from tiebreak.data.preference import Message
from tiebreak.evaluate.judges.verdict import choice_in, question


@pytest.mark.parametrize(
    ("reply", "choice"),
    [
        ('{"reason": "so", "verdict": "A"}', "A"),
        (' {"verdict": "tie"}\n', "tie"),
        ('```json\n{"verdict": "B"}\n```', "B"),
        ('<think>A is {"verdict": "A"}</think>\n{"verdict": "B"}', "B"),
        ("A", None),
        ('{"verdict": "a"}', None),
        ('{"verdict": ["A"]}', None),
        ('{"verdict": "A"} {"verdict": "B"}', None),
        ('I think {"verdict": "A"}', None),
        ('["A"]', None),
        ('"A"', None),
        ("null", None),
        ("", None),
        ('{"verdict": "A"', None),
    ],
)
def test_a_reply_is_read_strictly(reply: str, choice: str | None) -> None:
    assert choice_in(reply) == choice


def test_all_turns_and_the_criterion_are_asked() -> None:
    prompt = (Message("system", "Be kind."), Message("user", "Hü?"), Message("assistant", "x"), Message("user", "y"))
    system, user = question(prompt, "one", "two", "Which is kinder?")
    assert "Which is kinder?" in system["content"]
    found = json.loads(user["content"])
    assert [turn["content"] for turn in found["conversation"]] == ["Be kind.", "Hü?", "x", "y"]
    assert (found["answer_A"], found["answer_B"]) == ("one", "two")
    assert "Hü?" in user["content"]
