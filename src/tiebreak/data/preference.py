"""The canonical form of one row: what every public format is converted to and everything else reads.

Knows nothing of files, formats or tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

Role = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant")

Kind = Literal["preference", "supervised", "labelled"]
"""What the rows of a data set are: pairs of endings, endings to imitate, or endings that are called good or bad."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Preference:
    """A conversation so far and its two endings.

    Attributes:
        prompt: the turns before the ending; the last one is not the assistant's.
        chosen, rejected: the text of the two endings, without surrounding white space.
        id: the row's own name in its source, if it has one.
        weight: how much the pair counts in the loss; 1 is a plain pair.
        chosen_score, rejected_score: the source's scores of the endings, if it has any.
    """

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    id: str | None = None
    weight: float = 1.0
    chosen_score: float | None = None
    rejected_score: float | None = None

    def to_row(self) -> dict[str, Any]:
        """As a row of the canonical file: plain lists, dicts, strings and numbers."""
        return {
            "prompt": [{"role": m.role, "content": m.content} for m in self.prompt],
            "chosen": self.chosen,
            "rejected": self.rejected,
            "id": self.id,
            "weight": self.weight,
            "chosen_score": self.chosen_score,
            "rejected_score": self.rejected_score,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Preference:
        """From a row that `to_row` made."""
        return cls(
            prompt=messages_from(row["prompt"]),
            chosen=row["chosen"],
            rejected=row["rejected"],
            id=row.get("id"),
            weight=1.0 if row.get("weight") is None else float(row["weight"]),
            chosen_score=row.get("chosen_score"),
            rejected_score=row.get("rejected_score"),
        )


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A conversation so far and the one ending to imitate (supervised training)."""

    prompt: tuple[Message, ...]
    completion: str
    id: str | None = None
    weight: float = 1.0

    def to_row(self) -> dict[str, Any]:
        """As a row of the canonical file."""
        return {
            "prompt": [{"role": m.role, "content": m.content} for m in self.prompt],
            "completion": self.completion,
            "id": self.id,
            "weight": self.weight,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Demonstration:
        """From a row that `to_row` made."""
        return cls(
            prompt=messages_from(row["prompt"]),
            completion=row["completion"],
            id=row.get("id"),
            weight=1.0 if row.get("weight") is None else float(row["weight"]),
        )


@dataclass(frozen=True, slots=True)
class LabelledCompletion:
    """A conversation so far, one ending, and whether people found it good (KTO).

    Attributes:
        prompt: the turns before the ending; the last one is not the assistant's.
        completion: the text of the ending, without surrounding white space.
        label: whether the ending is desirable.
        id: the row's own name in its source, if it has one.
        weight: how much the row counts in the loss; 1 is a plain row.
    """

    prompt: tuple[Message, ...]
    completion: str
    label: bool
    id: str | None = None
    weight: float = 1.0

    def to_row(self) -> dict[str, Any]:
        """As a row of the canonical file."""
        return {
            "prompt": [{"role": m.role, "content": m.content} for m in self.prompt],
            "completion": self.completion,
            "label": self.label,
            "id": self.id,
            "weight": self.weight,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> LabelledCompletion:
        """From a row that `to_row` made."""
        return cls(
            prompt=messages_from(row["prompt"]),
            completion=row["completion"],
            label=bool(row["label"]),
            id=row.get("id"),
            weight=1.0 if row.get("weight") is None else float(row["weight"]),
        )


def messages_from(turns: Iterable[Mapping[str, str]]) -> tuple[Message, ...]:
    """Messages from dicts with `role` and `content`."""
    return tuple(Message(cast(Role, turn["role"]), turn["content"]) for turn in turns)
