"""The store of votes: a SQLite file or a PostgreSQL database, for many threads and processes at once.

Knows what may happen to a vote: added, corrected, withdrawn, read. A call that changes something returns when the
change is on the disk, so whatever was acknowledged survives a kill and a power loss.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from types import EllipsisType, TracebackType
from typing import Any, Self

from sqlalchemy import Connection, func, select, tuple_

from tiebreak.errors import InputError
from tiebreak.votes.address import Address
from tiebreak.votes.checks import (
    MAX_MODEL_CHARS,
    check_edited,
    check_id,
    check_reason,
    check_text,
    check_verdict,
    check_vote,
)
from tiebreak.votes.filters import VoteFilter, conditions
from tiebreak.votes.open_comparisons import OpenComparisons
from tiebreak.votes.opened import OpenDatabase
from tiebreak.votes.rows import (
    add_vote,
    change,
    earlier_of,
    erase,
    is_too_fast,
    locked,
    next_revision,
)
from tiebreak.votes.tables import corrections, votes
from tiebreak.votes.vote import EarlierVersion, Verdict, Vote

MAX_PAGE = 1000
Cursor = tuple[int, str]
"""A place among the changes: a revision, and a vote of it."""
_COUNTING = VoteFilter()


class VoteStore:
    """An open store; made by `open_votes`. Any thread may call any method.

    Args:
        address: where the store lies.
        create: create the store if there is none; otherwise that is an error.
    Attributes:
        open_comparisons: answers that stand already and wait for votes.
    Raises:
        InputError, RunError: as for `open_votes`.
    """

    def __init__(self, address: Address, *, create: bool) -> None:
        self._database = OpenDatabase(address, create=create)
        self.open_comparisons = OpenComparisons(self._database)

    @property
    def name(self) -> str:
        """The address as messages show it, without a password."""
        return self._database.address.shown

    def add(self, vote: Vote, *, a_minute: int = 0) -> bool:
        """Keep a vote. When this returns, the vote is on the disk.

        Args:
            vote: a new one.
            a_minute: most votes of its voter in the minute before it, whichever program kept them; 0 is no limit.
        Returns:
            False if a vote of that id is there already; then nothing is changed.
        Raises:
            InputError: the vote holds what cannot be kept (see `check_vote`), or the voter votes too fast.
        """
        check_vote(vote)
        with self._database.writing() as connection:
            revision = next_revision(connection)
            if a_minute and is_too_fast(connection, vote, a_minute):
                raise InputError(
                    f"These are more than {a_minute} votes in a minute.", where="vote", fix="wait a little, then vote"
                )
            return add_vote(connection, vote, revision)

    def add_all(self, new: Iterable[Vote]) -> int:
        """Keep votes, all of them or none; returns how many were not there already.

        Raises:
            InputError: a vote holds what cannot be kept.
        """
        given = list(new)
        for vote in given:
            check_vote(vote)
        with self._database.writing() as connection:
            revision = next_revision(connection)
            return sum([add_vote(connection, vote, revision) for vote in given])

    def changes(self, after: Cursor | None = None) -> list[tuple[Cursor, Vote]]:
        """The next votes that were added, corrected or withdrawn, in the order in which they became visible.

        Args:
            after: what came with the last vote that the caller knows; None begins with the first.
        Returns:
            At most 1000; none where there is nothing new. A vote that changed again comes again.
        """
        where: list[Any] = []
        place = tuple_(votes.c.revision, votes.c.id)
        if after is not None:
            where.append(place > tuple_(*after))
        with self._database.reading() as connection:
            asked = select(votes).where(*where).order_by(votes.c.revision, votes.c.id).limit(MAX_PAGE)
            rows = connection.execute(asked).mappings().all()
            found = self._database.whole(connection, rows)
        return [((int(row["revision"]), str(row["id"])), vote) for row, vote in zip(rows, found, strict=True)]

    def models(self) -> list[str]:
        """The names of all models that votes are on."""
        with self._database.reading() as connection:
            columns = (votes.c.left_model, votes.c.right_model)
            asked = [select(column).where(votes.c.withdrawn.is_(False)).distinct() for column in columns]
            return sorted({str(name) for each in asked for name in connection.execute(each).scalars()})

    def get(self, id: str) -> Vote | None:
        """The vote of an id, withdrawn or not; None if there is none."""
        check_id(id)
        with self._database.reading() as connection:
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
        if not 1 <= limit <= MAX_PAGE:
            raise InputError(f"A page must have 1 to {MAX_PAGE} votes, not {limit}.")
        if after is not None:
            check_id(after)
        with self._database.reading() as connection:
            where = self._conditions(wanted)
            if after is not None:
                last = connection.execute(select(votes.c.time, votes.c.id).where(votes.c.id == after)).first()
                if last is None:
                    raise InputError(f"There is no vote with the id '{after}', after which the page should begin.")
                this, that = tuple_(votes.c.time, votes.c.id), tuple_(last.time, last.id)
                where.append(this < that if newest_first else this > that)
            return self._read(connection, where, limit, newest_first)

    def every(self, wanted: VoteFilter = _COUNTING) -> Iterator[Vote]:
        """All votes of a filter, oldest first, read a page at a time."""
        last: str | None = None
        while page := self.votes(wanted, limit=MAX_PAGE, after=last):
            yield from page
            last = page[-1].id

    def count(self, wanted: VoteFilter = _COUNTING) -> int:
        """How many votes there are; by default those that are not withdrawn."""
        with self._database.reading() as connection:
            count = connection.execute(select(func.count()).select_from(votes).where(*self._conditions(wanted)))
            return int(count.scalar_one())

    def correct(
        self,
        id: str,
        *,
        verdict: Verdict | None = None,
        reason: str | EllipsisType | None = ...,
        edited: str | EllipsisType | None = ...,
        by: str | None = None,
    ) -> Vote:
        """Change a vote, and keep what it was before.

        Args:
            id: the vote's.
            verdict: the new one; None leaves it.
            reason, edited: the new text, None to take it away, `...` to leave it.
            by: who does it, as of `EarlierVersion.by`.
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
        with self._database.writing() as connection:
            old = locked(connection, id)
            if old["withdrawn"]:
                raise InputError("The vote was withdrawn, so it cannot be corrected.", where=f"vote {id}")
            change(connection, old, changes, by)
            return self._read(connection, [votes.c.id == id], 1)[0]

    def history(self, id: str) -> list[EarlierVersion]:
        """What a vote was before its corrections, oldest first; a withdrawn one without its texts."""
        check_id(id)
        with self._database.reading() as connection:
            found = connection.execute(
                select(corrections).where(corrections.c.vote == id).order_by(corrections.c.number)
            ).mappings()
            return [earlier_of(dict(row)) for row in found]

    def withdraw(self, id: str, *, by: str | None = None) -> bool:
        """Take a vote back: its reason and edited answer are erased, earlier versions included; it counts nowhere.

        Args:
            id: the vote's.
            by: who does it, as of `EarlierVersion.by`.
        Returns:
            False if it was withdrawn before.
        Raises:
            InputError: there is no such vote.
        """
        with self._database.writing() as connection:
            old = locked(connection, id)
            if old["withdrawn"]:
                return False
            erase(connection, [old], by)
        self._database.empty_log()
        return True

    def withdraw_voter(self, voter: str, *, by: str | None = None) -> int:
        """Take back every vote of a voter, as `withdraw` does.

        Args:
            voter: as it stands with the votes, not the key.
            by: as of `withdraw`.
        Returns:
            How many votes were taken back; those that were withdrawn before are not counted.
        """
        _check_asked(VoteFilter(voter=voter))
        with self._database.writing() as connection:
            theirs = (votes.c.voter == voter, votes.c.withdrawn.is_(False))
            found = (
                connection.execute(select(votes).where(*theirs).order_by(votes.c.id).with_for_update()).mappings().all()
            )
            if found:
                erase(connection, found, by)
        if found:
            self._database.empty_log()
        return len(found)

    def fingerprint(self) -> str:
        """A digest that differs when any vote was added, corrected or withdrawn."""
        digest = hashlib.sha256()
        with self._database.reading() as connection:
            for row in sorted(connection.execute(select(votes.c.id, votes.c.changed)).tuples()):
                digest.update(f"{row[0]}\0{row[1]}\n".encode())
        return digest.hexdigest()

    def close(self) -> None:
        """Close every connection. Votes that were acknowledged need no closing."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _conditions(self, wanted: VoteFilter) -> list[Any]:
        _check_asked(wanted)
        return conditions(wanted, sqlite=self._database.sqlite)

    def _read(self, connection: Connection, where: Sequence[Any], limit: int, newest_first: bool = False) -> list[Vote]:
        order = [column.desc() if newest_first else column.asc() for column in (votes.c.time, votes.c.id)]
        rows = connection.execute(select(votes).where(*where).order_by(*order).limit(limit)).mappings().all()
        return self._database.whole(connection, rows)


def _check_asked(wanted: VoteFilter) -> None:
    for name in ("model", "verdict", "voter", "contains"):
        value = getattr(wanted, name)
        if value is not None:
            check_text(value, name, MAX_MODEL_CHARS)
