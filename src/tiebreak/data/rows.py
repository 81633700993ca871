"""One row of a source, with its place: what every reader yields and every converter takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a source.

    Attributes:
        where: file and 1-based row, such as `data.jsonl:17`; for JSON lines the row is the line.
        values: the columns.
        number: the row alone.
    """

    where: str
    values: Mapping[str, Any]
    number: int
