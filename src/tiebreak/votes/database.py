"""Connections to the database: set up so that what is committed is on the disk, and failures in the user's words.

Knows what SQLite and PostgreSQL need for that, and how they fail; knows nothing of votes. Of a driver's message only
the first line is ever repeated, never a statement, its values or a URL.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tiebreak.errors import InputError, RunError, TiebreakError
from tiebreak.votes.address import Address

BUSY_SECONDS = 30.0
_CONNECT_SECONDS = 10
_CHECKPOINT_SECONDS = 2


def engine_for(address: Address) -> Engine:
    """An engine whose transactions are durable when they end.

    SQLite: write-ahead log, synchronous=FULL, and a writer takes its lock when it begins, so that two of them wait
    for each other instead of failing. PostgreSQL: synchronous_commit is never off.
    """
    if address.kind == "sqlite":
        return _sqlite_engine(address)
    return _postgresql_engine(address)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads."""
    with engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes; when the block has ended, what it wrote is on the disk."""
    with engine.connect() as connection:
        connection = connection.execution_options(writing=True)
        with connection.begin():
            yield connection


def empty_log(engine: Engine) -> None:
    """Empty SQLite's log, in which erased texts would stand until its next turn.

    Readers can delay it: then it happens at the latest when the last connection closes.
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


@contextmanager
def explained(address: Address) -> Iterator[None]:
    """Turn what SQLAlchemy raises in the block into one sentence.

    Raises:
        InputError: the file, the server, the user or the password is wrong.
        RunError: the disk is full, the database is busy, or the connection was lost.
    """
    try:
        yield
    except PoolTimeout:
        raise RunError("Too many programs use the votes at once.", where=address.shown, fix="try again") from None
    except DBAPIError as error:
        if address.kind == "sqlite":
            raise _sqlite_error(error, address) from None
        raise _postgresql_error(error, address) from None
    except SQLAlchemyError as error:
        raise RunError(f"The votes cannot be used: {_first_line(error, address)}.", where=address.shown) from None


def damaged(address: Address) -> InputError:
    """A row that holds what no store writes."""
    return InputError("The votes store is damaged.", where=address.shown, fix="restore them from a backup")


def _sqlite_engine(address: Address) -> Engine:
    engine = create_engine(
        address.url,
        connect_args={"timeout": BUSY_SECONDS},
        hide_parameters=True,
        pool_size=8,
        max_overflow=24,
        pool_timeout=BUSY_SECONDS,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # The driver's own habit of beginning a transaction only at the first change is turned off.
        connection.isolation_level = None
        cursor = connection.cursor()
        _write_ahead(cursor, address)
        for pragma in ("synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        connection.create_function("unicode_lower", 1, _lower, deterministic=True)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def _write_ahead(cursor: sqlite3.Cursor, address: Address) -> None:
    """Switch to the write-ahead log. SQLite does not wait for other openers here, so we do."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            mode = cursor.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            break
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    if mode != "wal":
        raise InputError(
            "SQLite cannot keep its write-ahead log in this folder.",
            where=address.shown,
            fix="use a folder of a local disk, or PostgreSQL",
        )


def _postgresql_engine(address: Address) -> Engine:
    limits = {} if "connect_timeout" in address.url.query else {"connect_timeout": _CONNECT_SECONDS}
    engine = create_engine(
        address.url,
        connect_args=limits,
        hide_parameters=True,
        pool_size=8,
        max_overflow=24,
        pool_timeout=BUSY_SECONDS,
        pool_pre_ping=True,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_encoding")
            encoding = cursor.fetchone()[0]
            cursor.execute(
                "SELECT set_config('synchronous_commit', 'on', false) "
                "WHERE current_setting('synchronous_commit') = 'off'"
            )
        connection.commit()
        if encoding != "UTF8":
            raise InputError(
                f"The PostgreSQL database has the encoding {encoding}, which cannot hold every letter.",
                where=address.shown,
                fix="create the database with createdb --encoding=UTF8 --template=template0",
            )

    return engine


def _first_line(error: BaseException | None, address: Address) -> str:
    """The first line of the driver's message, without the password wherever it stands."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    secrets = [address.url.password, *(value for key, value in address.url.query.items() if "password" in key.lower())]
    for secret in secrets:
        if isinstance(secret, str) and secret:
            first = first.replace(secret, "***")
    return first.rstrip(".:")


def _sqlite_error(error: DBAPIError, address: Address) -> TiebreakError:
    where, message = address.shown, _first_line(error.orig, address)
    low = message.lower()
    if "readonly" in low:
        return InputError("The votes cannot be written: the file or its folder is read-only.", where=where)
    if "not a database" in low:
        return InputError(
            "The file is not a SQLite database, or its beginning is damaged.",
            where=where,
            fix="check the path, or restore the file from a backup",
        )
    if "malformed" in low or "could not decode" in low:
        return InputError("The votes store is damaged.", where=where, fix="restore the file from a backup")
    if "unable to open" in low:
        return InputError(
            "The votes cannot be opened: there is no such folder, or you have no right to use it.",
            where=where,
            fix="create the folder, or name another file",
        )
    if "locked" in low or "busy" in low:
        return RunError("Another program has locked the votes.", where=where, fix="close that program, or try again")
    if "full" in low or "disk i/o" in low:
        fix = "free some space on the disk" if "full" in low else "check the disk"
        return RunError(f"The votes cannot be written to the disk: {message}.", where=where, fix=fix)
    return RunError(f"SQLite failed: {message}.", where=where)


def _postgresql_error(error: DBAPIError, address: Address) -> TiebreakError:
    where, message, low = address.shown, _first_line(error.orig, address), str(error.orig).lower()
    state = getattr(error.orig, "sqlstate", None)
    if error.statement is None or error.statement == "":
        return _connecting_error(message, low, where)
    if state in ("42501", "25006"):
        return InputError(
            f"The PostgreSQL server does not allow writing here: {message}.",
            where=where,
            fix="give the user the right to write",
        )
    if error.connection_invalidated:
        return RunError("The connection to the PostgreSQL server was lost.", where=where, fix="try again")
    return RunError(f"PostgreSQL failed: {message}.", where=where)


def _connecting_error(message: str, low: str, where: str) -> TiebreakError:
    if "password" in low:
        return InputError(
            "The PostgreSQL server refuses the user or the password.",
            where=where,
            fix="check the user; a password can also stand in PGPASSWORD or ~/.pgpass",
        )
    if "database" in low and "does not exist" in low:
        return InputError("The PostgreSQL server has no such database.", where=where, fix="create it with createdb")
    if "role" in low and "does not exist" in low:
        return InputError("The PostgreSQL server has no such user.", where=where, fix="create it with createuser")
    return InputError(
        f"The PostgreSQL server cannot be reached: {message}.", where=where, fix="check host and port, or start it"
    )
