"""The account of a reading: how many rows met which fate, and where the first few stand.

Knows how to count; what is counted is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tiebreak.errors import InputError

_EXAMPLES = 5
_BAD_ROWS_NAMED = 100


@dataclass(frozen=True)
class Tally:
    """How many rows met one fate, and the places of the first few."""

    count: int = 0
    examples: tuple[str, ...] = ()

    def add(self, where: str, keep: int = _EXAMPLES) -> Tally:
        """One more."""
        examples = (*self.examples, where) if len(self.examples) < keep else self.examples
        return Tally(self.count + 1, examples)

    def named(self) -> str:
        """The places in one line, a file's name once, and a mark where there are more."""
        said: list[str] = []
        last = ""
        for place in self.examples:
            file, colon, row = place.rpartition(":")
            said.append(f":{row}" if colon and file == last else place)
            last = file
        return ", ".join(said) + (", …" if self.count > len(self.examples) else "")

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"count": self.count, "examples": list(self.examples)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Tally:
        """From what `to_json` made."""
        return cls(value["count"], tuple(value["examples"]))


@dataclass
class Ledger:
    """The running account of one reading. It is the loader's own: others see the frozen report made from it."""

    skip_bad_rows: bool
    rows: int = 0
    made: int = 0
    left_out: dict[str, Tally] = field(default_factory=dict)
    notes: dict[str, Tally] = field(default_factory=dict)
    bad: Tally = field(default_factory=Tally)

    def on_bad(self, error: InputError) -> None:
        """Stop at a bad row, or note it, as the user asked."""
        if not self.skip_bad_rows:
            raise error
        self.bad = self.bad.add(f"{error.where or 'somewhere'}: {error.what}", _BAD_ROWS_NAMED)

    def leave_out(self, reason: str, where: str) -> None:
        """Count a sound row that makes no pair."""
        self.left_out[reason] = self.left_out.get(reason, Tally()).add(where)

    def note(self, remark: str, where: str) -> None:
        """Count a row that is kept but that its owner should know of."""
        self.notes[remark] = self.notes.get(remark, Tally()).add(where)


@dataclass(frozen=True)
class LoadReport:
    """What happened to the rows of a source.

    Attributes:
        source: what the source is called.
        rows: rows read, bad ones not counted.
        made: pairs (or demonstrations) made of them.
        left_out: sound rows that make no pair, by reason.
        bad: rows that could not be read, with their places and what is wrong; empty unless they are skipped.
        notes: rows that are kept but worth knowing of, by remark.
        splits: the splits the source has, as far as known.
    """

    source: str
    rows: int
    made: int
    left_out: Mapping[str, Tally]
    bad: Tally
    notes: Mapping[str, Tally]
    splits: tuple[str, ...] = ()

    @property
    def pairs(self) -> int:
        """Pairs made; another name for `made`."""
        return self.made

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "source": self.source,
            "rows": self.rows,
            "made": self.made,
            "left_out": {reason: tally.to_json() for reason, tally in self.left_out.items()},
            "bad": self.bad.to_json(),
            "notes": {remark: tally.to_json() for remark, tally in self.notes.items()},
            "splits": list(self.splits),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> LoadReport:
        """From what `to_json` made."""
        return cls(
            source=value["source"],
            rows=value["rows"],
            made=value["made"],
            left_out={reason: Tally.from_json(tally) for reason, tally in value["left_out"].items()},
            bad=Tally.from_json(value["bad"]),
            notes={remark: Tally.from_json(tally) for remark, tally in value["notes"].items()},
            splits=tuple(value["splits"]),
        )
