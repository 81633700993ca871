"""The store of votes: a SQLite file or a PostgreSQL database, for many threads and processes at once.

Knows what may happen to a vote: added, corrected, withdrawn, read. A call that changes something returns when the
change is on the disk, so whatever was acknowledged survives a kill and a power loss.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import EllipsisType, TracebackType
from typing import Any, Self, cast

from sqlalchemy import Connection, Engine, func, insert, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from tiebreak.errors import InputError
from tiebreak.votes.address import Address
from tiebreak.votes.bounds import (
    MAX_MODEL_CHARS,
    check_edited,
    check_id,
    check_reason,
    check_text,
    check_verdict,
    check_vote,
)
from tiebreak.votes.changes import change, empty_log, erase, locked
from tiebreak.votes.connect import engine_for, reading, writing
from tiebreak.votes.failures import damaged, explained
from tiebreak.votes.filters import VoteFilter, conditions, microseconds, moment
from tiebreak.votes.migrate import bring_up_to_date
from tiebreak.votes.rows import row_of, turns_of, vote_of
from tiebreak.votes.tables import corrections, turns, votes
from tiebreak.votes.vote import EarlierVersion, Verdict, Vote, now

MOST_A_PAGE = 1000
_ALL = VoteFilter(withdrawn=None)
_COUNTING = VoteFilter()


class VoteStore:
    """An open store; made by `open_votes`. Any thread may call any method.

    Args:
        address: where it lies.
        create: make the store where there is none; otherwise that is an error.
    Raises:
        InputError, RunError: as for `open_votes`.
    """

    def __init__(self, address: Address, *, create: bool) -> None:
        self._address = address
        self._engine: Engine = engine_for(address)
        try:
            with explained(address):
                bring_up_to_date(self._engine, address, create=create)
        except BaseException:
            self._engine.dispose()
            raise

    @property
    def name(self) -> str:
        """The address as messages show it, without a password."""
        return self._address.shown

    def add(self, vote: Vote) -> bool:
        """Keep a vote. When this returns, the vote is on the disk.

        Returns:
            False if a vote of that id is there already; then nothing is changed.
        Raises:
            InputError: the vote holds what cannot be kept (see `tiebreak.votes.bounds`).
        """
        check_vote(vote)
        add = sqlite.insert if self._sqlite else postgresql.insert
        row = row_of(vote, microseconds(now()))
        with self._writing() as connection:
            adding = add(votes).values(row).on_conflict_do_nothing(index_elements=["id"])
            if connection.execute(adding.execution_options(preserve_rowcount=True)).rowcount == 0:
                return False
            connection.execute(insert(turns), turns_of(vote))
        return True

    def get(self, id: str) -> Vote | None:
        """The vote of an id, withdrawn or not; None if there is none."""
        check_id(id)
        with self._reading() as connection:
            found = self._read(connection, [votes.c.id == id], 1)
        return found[0] if found else None

    def votes(
        self,
        wanted: VoteFilter = _COUNTING,
        *,
        limit: int = 100,
        after: str | None = None,
        newest_first: bool = False,
    ) -> list[Vote]:
        """A page of votes, by the time when they were cast.

        Args:
            wanted: which votes; by default all that are not withdrawn.
            limit: most votes of a page, 1 to 1000.
            after: id of the last vote of the page before; votes that came in since do not shift the pages.
            newest_first: the other way round.
        Raises:
            InputError: there is no vote `after`, or the limit is out of bounds.
        """
        if not 1 <= limit <= MOST_A_PAGE:
            raise InputError(f"A page has 1 to {MOST_A_PAGE} votes, not {limit}.")
        if after is not None:
            check_id(after)
        with self._reading() as connection:
            where = self._conditions(wanted)
            if after is not None:
                place = connection.execute(select(votes.c.time, votes.c.id).where(votes.c.id == after)).first()
                if place is None:
                    raise InputError("There is no vote with the id that the page should begin after.")
                here, there = tuple_(votes.c.time, votes.c.id), tuple_(place.time, place.id)
                where.append(here < there if newest_first else here > there)
            return self._read(connection, where, limit, newest_first)

    def every(self, wanted: VoteFilter = _COUNTING) -> Iterator[Vote]:
        """All votes of a filter, oldest first, read a page at a time."""
        last: str | None = None
        while page := self.votes(wanted, limit=MOST_A_PAGE, after=last):
            yield from page
            last = page[-1].id

    def count(self, wanted: VoteFilter = _COUNTING) -> int:
        """How many votes there are; by default those that are not withdrawn."""
        with self._reading() as connection:
            count = connection.execute(select(func.count()).select_from(votes).where(*self._conditions(wanted)))
            return int(count.scalar_one())

    def correct(
        self,
        id: str,
        *,
        verdict: Verdict | None = None,
        reason: str | EllipsisType | None = ...,
        edited: str | EllipsisType | None = ...,
    ) -> Vote:
        """Change what a vote says, and keep what it said before.

        Args:
            id: the vote's.
            verdict: the new one; None leaves it.
            reason, edited: the new text, None to take it away, `...` to leave it.
        Returns:
            The vote as it is now.
        Raises:
            InputError: there is no such vote, it is withdrawn, or the new text cannot be kept.
        """
        changes: dict[str, Any] = {}
        if verdict is not None:
            check_verdict(verdict)
            changes["verdict"] = verdict
        if not isinstance(reason, EllipsisType):
            check_reason(reason)
            changes["reason"] = reason
        if not isinstance(edited, EllipsisType):
            check_edited(edited)
            changes["edited"] = edited
        with self._writing() as connection:
            old = locked(connection, id)
            if old["withdrawn"]:
                raise InputError("The vote is withdrawn, so it cannot be corrected.", where=f"vote {id}")
            change(connection, old, changes)
            return self._read(connection, [votes.c.id == id], 1)[0]

    def history(self, id: str) -> list[EarlierVersion]:
        """What a vote said before its corrections, oldest first; of a withdrawn one without its texts."""
        check_id(id)
        with self._reading() as connection:
            found = connection.execute(
                select(corrections).where(corrections.c.vote == id).order_by(corrections.c.number)
            ).mappings()
            return [
                EarlierVersion(cast(Verdict, row["verdict"]), row["reason"], row["edited"], moment(row["until"]))
                for row in found
            ]

    def withdraw(self, id: str) -> bool:
        """Take a vote back: its reason and edited answer are erased, earlier versions included; it counts nowhere.

        Returns:
            False if it was withdrawn before.
        Raises:
            InputError: there is no such vote.
        """
        with self._writing() as connection:
            old = locked(connection, id)
            if old["withdrawn"]:
                return False
            erase(connection, [old])
        self._forget()
        return True

    def withdraw_voter(self, key: str) -> int:
        """Take back every vote of a voter, as `withdraw` does.

        Returns:
            How many votes were taken back; those that were withdrawn before are not counted.
        """
        _check_asked(VoteFilter(voter=key))
        with self._writing() as connection:
            theirs = (votes.c.voter == key, votes.c.withdrawn.is_(False))
            found = (
                connection.execute(select(votes).where(*theirs).order_by(votes.c.id).with_for_update()).mappings().all()
            )
            erase(connection, found)
        if found:
            self._forget()
        return len(found)

    def fingerprint(self) -> str:
        """A digest that differs when any vote was added, corrected or withdrawn."""
        digest = hashlib.sha256()
        with self._reading() as connection:
            for row in sorted(connection.execute(select(votes.c.id, votes.c.changed)).tuples()):
                digest.update(f"{row[0]}\0{row[1]}\n".encode())
        return digest.hexdigest()

    def close(self) -> None:
        """Close every connection. Votes that were acknowledged need no closing."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _sqlite(self) -> bool:
        return self._address.kind == "sqlite"

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with explained(self._address), reading(self._engine) as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with explained(self._address), writing(self._engine) as connection:
            yield connection

    def _forget(self) -> None:
        if self._sqlite:
            with explained(self._address):
                empty_log(self._engine)

    def _conditions(self, wanted: VoteFilter) -> list[Any]:
        _check_asked(wanted)
        return conditions(wanted, sqlite=self._sqlite)

    def _read(self, connection: Connection, where: Sequence[Any], limit: int, newest_first: bool = False) -> list[Vote]:
        order = [column.desc() if newest_first else column.asc() for column in (votes.c.time, votes.c.id)]
        rows = connection.execute(select(votes).where(*where).order_by(*order).limit(limit)).mappings().all()
        prompts: dict[str, list[dict[str, Any]]] = {row["id"]: [] for row in rows}
        asked = select(turns).where(turns.c.vote.in_(list(prompts))).order_by(turns.c.vote, turns.c.place)
        for turn in connection.execute(asked).mappings():
            prompts[turn["vote"]].append(dict(turn))
        try:
            return [vote_of(dict(row), prompts[row["id"]]) for row in rows]
        except (ValueError, TypeError):
            raise damaged(self._address) from None


def _check_asked(wanted: VoteFilter) -> None:
    for name in ("model", "verdict", "voter", "contains"):
        value = getattr(wanted, name)
        if value is not None:
            check_text(value, name, MAX_MODEL_CHARS)
