"""The report of a reading (the load report): how many rows met which fate, and where the first few stand.

Knows counts and their plain form; what is counted is decided where rows are converted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_EXAMPLES = 5
_NAMED = 40


@dataclass(frozen=True)
class Tally:
    """How many rows met one fate, and where the first few of them stand."""

    count: int = 0
    examples: tuple[str, ...] = ()

    def add(self, where: str, keep: int = _EXAMPLES) -> Tally:
        """One more."""
        examples = (*self.examples, where) if len(self.examples) < keep else self.examples
        return Tally(self.count + 1, examples)

    def named(self) -> str:
        """Where they stand, in one line: a file's name once, and a mark where there are more."""
        names: list[str] = []
        last = ""
        for where in self.examples:
            file, colon, row = where.rpartition(":")
            names.append(f":{row}" if colon and file == last else where)
            last = file
        return ", ".join(names) + (", …" if self.count > len(self.examples) else "")

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"count": self.count, "examples": list(self.examples)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Tally:
        """From what `to_json` made."""
        return cls(value["count"], tuple(value["examples"]))


@dataclass(frozen=True)
class LoadReport:
    """What happened to the rows of a source.

    Attributes:
        source: what the source is called.
        rows: rows read, bad ones not counted.
        made: canonical rows made of them.
        dropped: sound rows that make none, by reason.
        bad: rows that could not be read, where they stand and what is wrong; empty unless they are skipped.
        notes: rows that are kept but worth knowing of, by remark.
        splits: the splits the source has, as far as known.
        unused: columns, and keys of objects and messages, that the form does not read, and how many rows have them.
        passed_over: files of rows beside those that were read.
        transform: the function that rows went through first: its name and the SHA-256 of its file.
    """

    source: str
    rows: int
    made: int
    dropped: Mapping[str, Tally]
    bad: Tally
    notes: Mapping[str, Tally]
    splits: tuple[str, ...] = ()
    unused: Mapping[str, int] = field(default_factory=dict)
    passed_over: tuple[str, ...] = ()
    transform: Mapping[str, str] | None = None

    @property
    def pairs(self) -> int:
        """The same as `made`, of a source of pairs."""
        return self.made

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "source": self.source,
            "rows": self.rows,
            "made": self.made,
            "dropped": {reason: tally.to_json() for reason, tally in self.dropped.items()},
            "bad": self.bad.to_json(),
            "notes": {remark: tally.to_json() for remark, tally in self.notes.items()},
            "splits": list(self.splits),
            "unused": dict(self.unused),
            "passed_over": list(self.passed_over),
            "transform": None if self.transform is None else dict(self.transform),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> LoadReport:
        """From what `to_json` made."""
        return cls(
            source=value["source"],
            rows=value["rows"],
            made=value["made"],
            dropped={reason: Tally.from_json(tally) for reason, tally in value["dropped"].items()},
            bad=Tally.from_json(value["bad"]),
            notes={remark: Tally.from_json(tally) for remark, tally in value["notes"].items()},
            splits=tuple(value["splits"]),
            unused=dict(value.get("unused", {})),
            passed_over=tuple(value.get("passed_over", ())),
            transform=value.get("transform"),
        )

    def unused_line(self) -> str | None:
        """What was not used, in one line; None where all was."""
        if not self.unused:
            return None
        named = [f"{name} ({count:,} rows)" for name, count in list(self.unused.items())[:_NAMED]]
        more = len(self.unused) - len(named)
        return ", ".join(named) + (f" and {more} more" if more > 0 else "")
