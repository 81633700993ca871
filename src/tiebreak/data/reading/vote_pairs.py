"""Pairs of a store of votes: what voters' verdicts make.

Knows how to open a store for reading and when its pairs may differ; what becomes a pair is settled in `votes/pairs.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from tiebreak.data.reading.rows import NoPair, OnProgress, Pair, PairSource
from tiebreak.errors import InputError

# Raised whenever the same votes may give other pairs than before.
_EDITION = 2


def open_vote_pairs(url: str) -> PairSource:
    """Find a store of votes.

    Args:
        url: a path, `sqlite:///path`, or `postgresql+psycopg://user@host/database`.
    Raises:
        InputError: there is no store, it cannot be reached, it has no votes, or the address holds a password.
    """
    from tiebreak.votes import open_votes
    from tiebreak.votes.address import parse_address

    if parse_address(url).has_password:
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

    def pairs(on_progress: OnProgress) -> Iterator[Pair | NoPair]:
        return _pairs(url, name, on_progress)

    return PairSource(name, fingerprint, pairs)


def _pairs(url: str, name: str, on_progress: OnProgress) -> Iterator[Pair | NoPair]:
    from tiebreak.votes import open_votes
    from tiebreak.votes.pairs import NoPairs, outcomes

    with open_votes(url, create=False) as store:
        total = max(1, store.count())
        # What was compared is known only when every vote was seen, so all of them are held here.
        votes = []
        for vote in store.every():
            votes.append(vote)
            if len(votes) % 256 == 0:
                on_progress(min(1.0, len(votes) / total))
    for outcome in outcomes(votes):
        where = f"{name}:{outcome.vote}"
        if isinstance(outcome.made, NoPairs):
            yield NoPair(where, outcome.made.reason)
        else:
            for pair in outcome.made:
                yield Pair(where, pair)
    on_progress(1.0)
