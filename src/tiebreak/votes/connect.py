"""Connections to the database, set up so that what is committed is on the disk.

Knows what SQLite and PostgreSQL need for that; knows nothing of votes.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

from tiebreak.errors import InputError
from tiebreak.votes.address import Address

BUSY_SECONDS = 30.0
_CONNECT_SECONDS = 10


def engine_for(address: Address) -> Engine:
    """An engine whose transactions are durable when they end.

    SQLite: write-ahead log, synchronous=FULL, and a writer takes its lock when it begins, so that two of them wait
    for each other instead of failing. PostgreSQL: synchronous_commit is never off.
    """
    if address.kind == "sqlite":
        return _sqlite(address)
    return _postgresql(address)


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


def _sqlite(address: Address) -> Engine:
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


def _postgresql(address: Address) -> Engine:
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
                f"The PostgreSQL database has the encoding {encoding}, which does not have every letter.",
                where=address.shown,
                fix="make one with createdb --encoding=UTF8 --template=template0",
            )

    return engine
