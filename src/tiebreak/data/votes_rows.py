"""Rows of a store of votes: the pairs that voters' verdicts make, in the canonical form.

Knows how to open a store for reading and when its rows may differ; what becomes a pair is settled in `votes/pairs.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tiebreak.data.problems import LeftOut, OnBad
from tiebreak.data.rows import Row
from tiebreak.errors import InputError

# Raised whenever the same votes may give other rows than before.
_EDITION = 1


@dataclass(frozen=True)
class VotesRows:
    """A store of votes that was found and can be read."""

    name: str
    fingerprint: str
    rows: Callable[[OnBad, Callable[[float], None]], Iterator[Row]]


def open_votes_rows(url: str) -> VotesRows:
    """Find a store of votes.

    Args:
        url: a path, `sqlite:///path`, or `postgresql+psycopg://user@host/database`.
    Raises:
        InputError: there is no store, it cannot be reached, it has no votes, or the address holds a password.
    """
    from tiebreak.votes import open_votes
    from tiebreak.votes.opening import address_of

    if address_of(url).password:
        raise InputError(
            "The address of the votes holds a password, and a source is written into the run folder and its reports.",
            fix="leave the password to PGPASSWORD or ~/.pgpass",
        )
    with open_votes(url, create=False) as store:
        if not store.count():
            raise InputError(
                "There are no votes yet.", where=store.name, fix="compare answers in `tiebreak serve`, then train"
            )
        name = f"votes {store.name}"
        fingerprint = hashlib.sha256(f"votes\0{_EDITION}\0{store.fingerprint()}".encode()).hexdigest()

    def rows(_on_bad: OnBad, on_progress: Callable[[float], None]) -> Iterator[Row]:
        return _rows(url, name, on_progress)

    return VotesRows(name, fingerprint, rows)


def _rows(url: str, name: str, on_progress: Callable[[float], None]) -> Iterator[Row]:
    from tiebreak.votes import open_votes
    from tiebreak.votes.pairs import paired

    with open_votes(url, create=False) as store:
        total = max(1, store.count())
        # What was compared is known only when every vote was seen, so all of them are held here.
        votes = []
        for vote in store.every():
            votes.append(vote)
            if len(votes) % 256 == 0:
                on_progress(min(1.0, len(votes) / total))
    number = 0
    for each in paired(votes):
        for values in each.rows or (_Undecided(each.left_out or ""),):
            number += 1
            yield Row(f"{name}:{each.vote}", values, number)
    on_progress(1.0)


class _Undecided(dict[str, Any]):
    """A comparison that makes no pair: it has the form of a row, and whoever asks for its weight is told why not.

    That puts it into the account of the reading by its reason, as any sound row that makes no pair.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(prompt=[{"role": "user", "content": "-"}], chosen="-", rejected="-", weight=None)
        self._reason = reason

    def get(self, key: str, default: Any = None) -> Any:
        if key == "weight":
            raise LeftOut(self._reason)
        return super().get(key, default)
