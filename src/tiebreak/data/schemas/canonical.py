"""Our own form, as `Preference.to_row` and `Demonstration.to_row` write it.

Knows nothing of other formats. `weight`, `id` and the scores may be left out by whoever writes such rows by hand.
An empty ending is refused in those, and accepted in rows that have a weight: `to_row` wrote them, and what the empty
ending means was settled when the row was made (see the transcripts).
"""

from __future__ import annotations

from tiebreak.data.preference import ROLES, Demonstration, Preference
from tiebreak.data.schemas.fields import Values, ending, identity, required, score, text, weight
from tiebreak.data.schemas.turns import asked, is_turns, turns


def matches(values: Values) -> bool:
    """A prompt of messages and two endings of text."""
    return is_turns(values.get("prompt")) and all(isinstance(values.get(name), str) for name in ("chosen", "rejected"))


def convert(values: Values) -> list[Preference]:
    """Check a row and take it as it is."""
    return [
        Preference(
            prompt=asked(turns(required(values, "prompt", f"messages of {', '.join(ROLES)}"), "prompt"), "prompt"),
            chosen=_ending(values, "chosen"),
            rejected=_ending(values, "rejected"),
            id=identity(values),
            weight=weight(values),
            chosen_score=score(values, "chosen_score"),
            rejected_score=score(values, "rejected_score"),
        )
    ]


def matches_demonstration(values: Values) -> bool:
    """A prompt of messages and one completion of text."""
    return is_turns(values.get("prompt")) and isinstance(values.get("completion"), str)


def convert_demonstration(values: Values) -> list[Demonstration]:
    """Check a row and take it as it is."""
    return [
        Demonstration(
            prompt=asked(turns(required(values, "prompt", f"messages of {', '.join(ROLES)}"), "prompt"), "prompt"),
            completion=_ending(values, "completion"),
            id=identity(values),
            weight=weight(values),
        )
    ]


def _ending(values: Values, column: str) -> str:
    return text(values, column).strip() if "weight" in values else ending(values, column)
