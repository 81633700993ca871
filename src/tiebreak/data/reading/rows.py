"""What every source gives: rows whose form is not known yet, or pairs that need none; and how a value is shown.

Knows nothing of files, forms or tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tiebreak.data.preference import Preference
from tiebreak.errors import InputError

Values = Mapping[str, Any]
"""The columns of one row, as they stand in the source."""
OnBad = Callable[[InputError], None]
"""What a reader does with a row it cannot read: raise, or note it and go on."""
OnProgress = Callable[[float], None]
"""Called with the share of the source that was read, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a source, in a form that is still to be recognised.

    Attributes:
        where: file and 1-based row, such as `data.jsonl:17`; for JSON lines the row is the line.
        values: the columns.
        number: the row alone.
        remark: what is worth knowing of it, for the load report.
    """

    where: str
    values: Values
    number: int
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair of a source that has pairs and nothing else; `where` is where it comes from."""

    where: str
    preference: Preference


@dataclass(frozen=True, slots=True)
class NoPair:
    """What could have been a pair of such a source, and the reason why it is none."""

    where: str
    reason: str


@dataclass(frozen=True)
class Source:
    """A source of rows that was found and can be read, as often as needed.

    Attributes:
        name: what messages call it.
        fingerprint: differs when the rows may differ.
        rows: yields every row in order; called with what to do with bad rows, and a callback for progress.
        splits: the splits the source is known to have, its own included.
        passed_over: files of rows beside those that are read.
        commit: of the Hub's repository that it is of; None elsewhere.
    """

    name: str
    fingerprint: str
    rows: Callable[[OnBad, OnProgress], Iterator[Row]]
    splits: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    commit: str | None = None


@dataclass(frozen=True)
class PairSource:
    """A source of pairs: nothing of it has to be recognised or converted.

    Attributes:
        name, fingerprint, splits: as of a `Source`.
        pairs: yields every pair in order, and what makes none; called with a callback for progress.
    """

    name: str
    fingerprint: str
    pairs: Callable[[OnProgress], Iterator[Pair | NoPair]]
    splits: tuple[str, ...] = ()


def shown(value: object, limit: int = 60) -> str:
    """A value as an error message shows it: named by kind, escaped, shortened."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {str(value)[:limit]}"
    if isinstance(value, str):
        if not value.strip():
            return "nothing" if not value else "only white space"
        return f"the text {quoted(value, limit)}"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, Mapping):
        return f"an object with the keys {quoted(', '.join(map(str, value)), limit)}" if value else "an empty object"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    return f"a {type(value).__name__}"


def quoted(text: str, limit: int = 60) -> str:
    """Text in quotes, control characters escaped, cut at `limit` characters."""
    return repr(text) if len(text) <= limit else repr(text[:limit]) + "…"
