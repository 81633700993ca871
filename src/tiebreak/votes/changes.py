"""Changes to a vote that is kept: a correction that keeps what was said before, and a withdrawal that erases.

Knows the tables; whoever calls holds the transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, func, insert, select, update

from tiebreak.errors import InputError
from tiebreak.votes.bounds import check_id
from tiebreak.votes.filters import microseconds
from tiebreak.votes.tables import corrections, votes
from tiebreak.votes.vote import now

_CHECKPOINT_SECONDS = 2


def locked(connection: Connection, id: str) -> RowMapping:
    """The row of a vote, which nobody else changes before the transaction ends.

    Raises:
        InputError: there is no such vote.
    """
    check_id(id)
    found = connection.execute(select(votes).where(votes.c.id == id).with_for_update()).mappings().first()
    if found is None:
        raise InputError(f"There is no vote with the id '{id}'.")
    return found


def change(connection: Connection, old: RowMapping, changes: Mapping[str, Any]) -> None:
    """Change columns of a vote and keep what they were; where nothing would change, nothing happens."""
    if all(old[name] == value for name, value in changes.items()):
        return
    stamp = _later_than(old)
    before = select(func.count()).select_from(corrections).where(corrections.c.vote == old["id"])
    earlier = {
        "vote": old["id"],
        "number": connection.execute(before).scalar_one(),
        "until": stamp,
        **{name: old[name] for name in ("verdict", "reason", "edited")},
    }
    connection.execute(insert(corrections), earlier)
    connection.execute(update(votes).where(votes.c.id == old["id"]).values(**changes, changed=stamp))


def erase(connection: Connection, found: Sequence[RowMapping]) -> None:
    """Withdraw votes: their texts go, also from earlier versions."""
    texts = {"reason": None, "edited": None}
    for old in found:
        connection.execute(update(corrections).where(corrections.c.vote == old["id"]).values(texts))
        changed = {**texts, "withdrawn": True, "changed": _later_than(old)}
        connection.execute(update(votes).where(votes.c.id == old["id"]).values(changed))


def empty_log(engine: Engine) -> None:
    """Empty SQLite's log, in which erased texts would stand until its next turn.

    Readers can delay that: then it happens at the latest when the last connection closes.
    """
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_SECONDS * 1000}")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.fetchall()
    except sqlite3.OperationalError:  # busy: the withdrawal itself is on the disk already
        pass
    finally:
        connection.invalidate()  # its waiting time was changed
        connection.close()


def _later_than(old: RowMapping) -> int:
    """A stamp for a change: now, and later than the one before even if the clock went back."""
    return max(microseconds(now()), int(old["changed"]) + 1)
