"""A vote: two answers to one prompt, and which of them a person found better.

Knows what a vote is and how it is written as plain values; knows nothing of databases.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

Verdict = Literal["left", "right", "tie", "both_bad"]
VERDICTS: tuple[Verdict, ...] = ("left", "right", "tie", "both_bad")
ROLES = ("system", "user", "assistant")
Turn = tuple[str, str]
"""Role and content of one turn."""
Sampling = Mapping[str, float | int | str | None]


@dataclass(frozen=True)
class Answer:
    """One of the two answers, and how it came about.

    Attributes:
        text: what the model said.
        model: what the model is called.
        fingerprint: differs when the weights differ; empty where nobody knows, as behind somebody else's server.
        sampling: settings of the generation, such as temperature and top_p.
        seed: seed of the generation, if it had one.
    """

    text: str
    model: str
    fingerprint: str
    sampling: Sampling
    seed: int | None

    def to_row(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "text": self.text,
            "model": self.model,
            "fingerprint": self.fingerprint,
            "sampling": dict(self.sampling),
            "seed": self.seed,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Answer:
        """From what `to_row` made."""
        return cls(row["text"], row["model"], row["fingerprint"], dict(row["sampling"]), row["seed"])


@dataclass(frozen=True)
class Vote:
    """What one person said of two answers.

    Attributes:
        id: 32 hexadecimal digits, drawn by whoever casts the vote (`new_id`): casting it twice is casting it once.
        prompt: the turns before the answers; the last one is the user's.
        left, right: the answers, on the sides where the person saw them.
        verdict: which is better.
        reason: why, in the person's words.
        edited: a better answer that the person wrote.
        voter: a pseudonymous key; never a name or an address.
        time: when, with a time zone; kept as UTC to the microsecond.
        withdrawn: taken back: its texts are erased, and it counts nowhere.
    """

    id: str
    prompt: tuple[Turn, ...]
    left: Answer
    right: Answer
    verdict: Verdict
    reason: str | None
    edited: str | None
    voter: str
    time: datetime
    withdrawn: bool = False

    def to_row(self) -> dict[str, Any]:
        """As plain values, which JSON can hold."""
        return {
            "id": self.id,
            "time": self.time.astimezone(UTC).isoformat(),
            "voter": self.voter,
            "verdict": self.verdict,
            "prompt": [{"role": role, "content": content} for role, content in self.prompt],
            "left": self.left.to_row(),
            "right": self.right.to_row(),
            "reason": self.reason,
            "edited": self.edited,
            "withdrawn": self.withdrawn,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Vote:
        """From what `to_row` made."""
        return cls(
            id=row["id"],
            prompt=tuple((turn["role"], turn["content"]) for turn in row["prompt"]),
            left=Answer.from_row(row["left"]),
            right=Answer.from_row(row["right"]),
            verdict=cast(Verdict, row["verdict"]),
            reason=row["reason"],
            edited=row["edited"],
            voter=row["voter"],
            time=datetime.fromisoformat(row["time"]),
            withdrawn=row["withdrawn"],
        )


@dataclass(frozen=True)
class EarlierVersion:
    """What a vote said before it was corrected, and until when."""

    verdict: Verdict
    reason: str | None
    edited: str | None
    until: datetime


def new_id() -> str:
    """An id for a new vote."""
    return uuid.uuid4().hex


def now() -> datetime:
    """The time of a new vote."""
    return datetime.now(UTC)
