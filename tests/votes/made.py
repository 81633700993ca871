"""Votes for tests."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from tiebreak.votes.open_comparison import OpenComparison, open_comparison, vote_id
from tiebreak.votes.vote import Answer, Vote

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def answer(text: str = "It is Tuesday.", model: str = "base", **changes: Any) -> Answer:
    """An answer with settings."""
    given: dict[str, Any] = {"fingerprint": f"{model}-1", "sampling": {"temperature": 0.7, "top_p": 1}, "seed": 3}
    return Answer(text, model, **{**given, **changes})


def vote(number: int = 0, **changes: Any) -> Vote:
    """A vote that can be kept; `number` makes its id and its time."""
    given: dict[str, Any] = {
        "id": uuid.UUID(int=number).hex,
        "prompt": (("user", f"Which day is after Monday? {number}"),),
        "left": answer(),
        "right": answer("I do not know.", "tuned"),
        "verdict": "left",
        "reason": None,
        "edited": None,
        "voter": "voter-1",
        "time": START + timedelta(seconds=number),
    }
    return Vote(**{**given, **changes})


def compared(verdict: str, voter: str, number: int = 0, first: str = "A", second: str = "B", **changes: Any) -> Vote:
    """A vote of one voter on the answers `first` (left) and `second` to one prompt."""
    return vote(
        number,
        prompt=(("user", "Question?"),),
        left=answer(first),
        right=answer(second, "tuned"),
        verdict=verdict,
        voter=voter,
        **changes,
    )


EVALUATION = uuid.UUID(int=7).hex


def asked(number: int = 0, evaluation: str = EVALUATION, **changes: Any) -> OpenComparison:
    """An open comparison; `number` makes its prompt."""
    given: dict[str, Any] = {
        "prompt": (("user", f"Which day is after Monday? {number}"),),
        "first": answer("It is Tuesday.", "tuned", seed=None),
        "second": answer("I do not know.", seed=None),
        "made": START,
    }
    return open_comparison(evaluation, **{**given, **changes})


def answering(comparison: OpenComparison, verdict: str, voter: str, *, swapped: bool = False, **changes: Any) -> Vote:
    """A vote on an open comparison, whose first answer stood left unless `swapped`."""
    left, right = (comparison.second, comparison.first) if swapped else (comparison.first, comparison.second)
    given: dict[str, Any] = {
        "id": vote_id(comparison.id, voter),
        "prompt": comparison.prompt,
        "left": left,
        "right": right,
        "verdict": verdict,
        "voter": voter,
        "comparison": comparison.id,
    }
    return vote(**{**given, **changes})
