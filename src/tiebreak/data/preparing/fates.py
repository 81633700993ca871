"""What became of rows on their way to token ids: how many met each fate, and which are the first few of them.

Knows rows by their indices; the words for what was done are those of whoever did it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset

_ROWS_NAMED = 5


@dataclass
class Fates:
    """The running counts of one data set.

    Attributes:
        counts: rows dropped or cut, by reason.
        notes: rows that are kept and worth knowing of, by remark.
        rows: the first few rows of each reason and remark.
    """

    counts: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    rows: dict[str, list[int]] = field(default_factory=dict)

    def count(self, reason: str, row: int) -> None:
        """A row was dropped or cut."""
        self.counts[reason] += 1
        self._name(reason, row)

    def note(self, remark: str, row: int) -> None:
        """A row was kept, and this was done to it."""
        self.notes[remark] += 1
        self._name(remark, row)

    def _name(self, why: str, row: int) -> None:
        named = self.rows.setdefault(why, [])
        if len(named) < _ROWS_NAMED:
            named.append(row)

    def named(self, dataset: Dataset) -> dict[str, tuple[str, ...]]:
        """The first few rows of each reason and remark: by their ids, or their numbers in the data set, from 1."""
        ids = dataset.select_columns(["id"]) if "id" in dataset.column_names else None
        return {
            why: tuple((ids[row]["id"] if ids is not None else None) or f"row {row + 1}" for row in rows)
            for why, rows in self.rows.items()
        }

    def to_json(self) -> dict[str, Any]:
        """The fields as plain values."""
        return {"counts": dict(self.counts), "notes": dict(self.notes), "rows": self.rows}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Fates:
        """From what `to_json` made."""
        return cls(Counter(value["counts"]), Counter(value["notes"]), dict(value["rows"]))
