"""An open database of votes: its connections, and its schema brought up to date.

Knows nothing of what may happen to a vote; the stores that are built on it do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, RowMapping

from tiebreak.errors import InputError
from tiebreak.votes.address import Address
from tiebreak.votes.database import damaged, empty_log, engine_for, explained, reading, writing
from tiebreak.votes.migrate import bring_up_to_date
from tiebreak.votes.rows import whole_votes
from tiebreak.votes.vote import Vote


class OpenDatabase:
    """Connections to a database whose schema is the newest. Any thread may use it.

    Args:
        address: where it lies.
        create: create the tables if there are none; otherwise that is an error.
    Raises:
        InputError, RunError: as for `open_votes`.
    """

    def __init__(self, address: Address, *, create: bool) -> None:
        self.address = address
        self._engine: Engine = engine_for(address)
        try:
            with explained(address):
                bring_up_to_date(self._engine, address, create=create)
        except BaseException:
            self._engine.dispose()
            raise

    @property
    def sqlite(self) -> bool:
        """Whether it is a file of SQLite."""
        return self.address.kind == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads; failures are one sentence."""
        with explained(self.address), reading(self._engine) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes; when the block has ended, what it wrote is on the disk."""
        with explained(self.address), writing(self._engine) as connection:
            yield connection

    def empty_log(self) -> None:
        """Overwrite what was erased, as far as the database lets us."""
        if self.sqlite:
            with explained(self.address):
                empty_log(self._engine)

    def whole(self, connection: Connection, rows: Sequence[RowMapping]) -> list[Vote]:
        """Votes from rows of their table.

        Raises:
            InputError: a row holds what no store writes.
        """
        try:
            return whole_votes(connection, rows)
        except (ValueError, TypeError):
            raise self.damaged() from None

    def damaged(self) -> InputError:
        """The error for a row that holds what no store writes."""
        return damaged(self.address)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()
