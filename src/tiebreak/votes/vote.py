"""A vote: two answers to one prompt, and which of them a person found better.

Knows what a vote is, when it counts, and how it is written as plain values; what it may hold is in `votes.checks`.
Opens no database.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

Verdict = Literal["left", "right", "tie", "both_bad"]
VERDICTS: tuple[Verdict, ...] = ("left", "right", "tie", "both_bad")
ROLES = ("system", "user", "assistant")
Turn = tuple[str, str]
"""Role and content of one turn."""
Sampling = Mapping[str, float | int | str | None]
"""Settings of a generation."""

OPERATOR = "the operator"
"""Who changed a vote from the command line; no voter has such a name."""


@dataclass(frozen=True)
class Answer:
    """One of the two answers, and how it came about.

    Attributes:
        text: the model's answer.
        model: what the model is called.
        fingerprint: differs when the weights differ; empty where nobody knows, as behind somebody else's server.
        sampling: settings of the generation, such as temperature and top_p.
        seed: seed of the generation, if it had one.
        before: the turns between the prompt and the text, where the two conversations went apart before the answers
            that were judged: the assistant's first, the user's last.
    """

    text: str
    model: str
    fingerprint: str
    sampling: Sampling
    seed: int | None
    before: tuple[Turn, ...] = ()

    @property
    def turns(self) -> tuple[Turn, ...]:
        """All that this side said after the prompt, without white space around it."""
        return tuple((role, content.strip()) for role, content in (*self.before, ("assistant", self.text)))

    def to_row(self) -> dict[str, Any]:
        """As plain values."""
        row: dict[str, Any] = {
            "text": self.text,
            "model": self.model,
            "fingerprint": self.fingerprint,
            "sampling": dict(self.sampling),
            "seed": self.seed,
        }
        return {**row, "before": turn_rows(self.before)} if self.before else row

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Answer:
        """From what `to_row` made."""
        before = tuple((turn["role"], turn["content"]) for turn in row.get("before") or ())
        return cls(row["text"], row["model"], row["fingerprint"], dict(row["sampling"]), row["seed"], before)


@dataclass(frozen=True)
class EarlierVersion:
    """What a vote was before it was corrected.

    Attributes:
        until: when it was corrected.
        by: who did it: a voter's name, or `OPERATOR`; None where that was not written down.
    """

    verdict: Verdict
    reason: str | None
    edited: str | None
    until: datetime
    by: str | None = None

    def to_row(self) -> dict[str, Any]:
        """As plain values."""
        return {**vars(self), "until": self.until.astimezone(UTC).isoformat()}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> EarlierVersion:
        """From what `to_row` made."""
        until = datetime.fromisoformat(row["until"])
        return cls(cast(Verdict, row["verdict"]), row["reason"], row["edited"], until, row["by"])


@dataclass(frozen=True)
class Vote:
    """One person's judgement of two answers.

    Attributes:
        id: 32 hexadecimal digits, drawn by whoever casts the vote (`new_id`): casting it twice is casting it once.
        prompt: the turns before the answers; the last one is the user's.
        left, right: the answers, on the sides where the person saw them.
        verdict: which is better.
        reason: why, in the person's words.
        edited: a better answer that the person wrote.
        voter: a pseudonym, such as `votes.voters.voter_of` makes of a key; never a name or an address.
        time: when, with a time zone; kept as UTC to the microsecond.
        withdrawn: taken back: its texts are erased, and it counts nowhere.
        corrections: what it was before each correction, oldest first.
        withdrawn_by: who took it back, as of `EarlierVersion.by`.
        comparison: id of the open comparison that it answers (`votes.open_comparison`); None where the answers were
            drawn for this vote.
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
    corrections: tuple[EarlierVersion, ...] = ()
    withdrawn_by: str | None = None
    comparison: str | None = None

    @property
    def unblind(self) -> bool:
        """Whether its verdict is another one than before the models were named.

        The page names them when a vote is kept, so only the first verdict was given blind. Other words, or a verdict
        that was put back, change nothing of that.
        """
        return bool(self.corrections) and self.corrections[0].verdict != self.verdict

    def to_row(self) -> dict[str, Any]:
        """As plain values, which JSON can hold."""
        return {
            "id": self.id,
            "time": self.time.astimezone(UTC).isoformat(),
            "voter": self.voter,
            "verdict": self.verdict,
            "prompt": turn_rows(self.prompt),
            "left": self.left.to_row(),
            "right": self.right.to_row(),
            "reason": self.reason,
            "edited": self.edited,
            "withdrawn": self.withdrawn,
            "corrections": [earlier.to_row() for earlier in self.corrections],
            "unblind": self.unblind,
            "comparison": self.comparison,
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
            corrections=tuple(EarlierVersion.from_row(each) for each in row.get("corrections") or ()),
            comparison=row.get("comparison"),
        )


def counts(vote: Vote, *, corrected: bool = False) -> bool:
    """Whether a vote is in scores and in rows to train on: the one rule for both.

    Args:
        vote: any.
        corrected: also where the verdict was corrected after the models were named.
    """
    return not vote.withdrawn and (corrected or not vote.unblind)


def turn_rows(turns: Iterable[Turn]) -> list[dict[str, str]]:
    """Turns as plain values."""
    return [{"role": role, "content": content} for role, content in turns]


def new_id() -> str:
    """An id for a new vote."""
    return uuid.uuid4().hex


def now() -> datetime:
    """The time of a new vote."""
    return datetime.now(UTC)
