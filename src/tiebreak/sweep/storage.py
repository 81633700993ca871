"""Where the trials of a search are kept: a journal file, SQLite or PostgreSQL; and what can go wrong with it.

The journal is guarded by a lock that the system lets go of however its holder ends, and a line that a full disk or a
power cut left half is cut off before the next one is written.
"""

from __future__ import annotations

import errno
import fcntl
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import quote

from tiebreak.errors import InputError, RunError
from tiebreak.sweep.folder import SweepFolder

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

_FULL = (errno.ENOSPC, errno.EDQUOT)
_SECONDS = 60  # that SQLite waits for another worker


def need_optuna() -> None:
    """See that the libraries of a search are there.

    Raises:
        InputError: one is not.
    """
    missing = [name for name in ("optuna", "openpyxl") if find_spec(name) is None]
    if missing:
        raise InputError(f"A search needs {' and '.join(missing)}: not installed.", fix='pip install "tiebreak[sweep]"')


def is_server(storage: str | None) -> bool:
    """Whether a storage is a database server, in which several searches may lie.

    Args:
        storage: as the recipe has it.
    """
    return storage not in (None, "sqlite")


def check_storage(storage: str | None) -> None:
    """See that a database server can be reached, before anything is made.

    Raises:
        InputError: it cannot, or its address is not understood.
    """
    if storage is not None and is_server(storage):
        with using_storage("the database"):
            _database(server_url(storage))


def open_storage(storage: str | None, folder: SweepFolder) -> BaseStorage:
    """The storage of a search, for Optuna.

    Args:
        storage: as the recipe has it.
        folder: of the search.
    Raises:
        InputError: its address is not understood, or it is damaged.
        RunError: it cannot be reached.
    """
    if storage is None:
        return _journal(folder.journal_path)
    return _database(sqlite_url(folder.database_path) if storage == "sqlite" else server_url(storage))


@contextmanager
def using_storage(where: str) -> Iterator[None]:
    """Within the block Optuna prints nothing, and what its storage raises is said in a sentence.

    Args:
        where: named in errors.
    Raises:
        InputError: what is kept is damaged.
        RunError: the storage cannot be reached, or the disk is full.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except OSError as error:
        full = error.errno in _FULL
        raise RunError(
            "The disk is full: a result of the search cannot be kept."
            if full
            else f"The trials of the search cannot be kept: {error.strerror or error}.",
            where=where,
            fix=f"{'free some disk' if full else 'see that the folder can be written to'}; "
            "what was done is kept, and the same command goes on",
        ) from error
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise RunError(
            f"The storage of the search cannot be reached: {_said(error)}.",
            where="sweep.storage",
            fix="see that the database is there and takes this user; what was done is kept, and the same command "
            "goes on",
        ) from error
    finally:
        optuna.logging.set_verbosity(before)


def sqlite_url(path: Path) -> str:
    """The address of a file with SQLite, as SQLAlchemy has it, whatever signs its name has."""
    # Twice: SQLAlchemy reads the address, and SQLite the name in it.
    return f"sqlite:///file:{quote(quote(os.path.abspath(path)))}?uri=true"  # noqa: PTH100 - a link keeps its name


def server_url(storage: str) -> str:
    """The address of a database server, as SQLAlchemy has it.

    Args:
        storage: as the recipe has it.
    Raises:
        InputError: it is no address that is understood, or its driver is not installed.
    """
    kind, separator, rest = storage.partition("://")
    if kind not in ("postgresql", "postgres", "postgresql+psycopg") or not separator or not rest:
        raise InputError(
            "The storage of the search is not understood.",
            where="sweep.storage",
            fix="leave it out for a journal file, write sqlite, or postgresql+psycopg://USER@HOST/DATABASE",
        )
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(f"postgresql+psycopg://{rest}")
    except ArgumentError:
        raise InputError("The storage of the search is not understood.", where="sweep.storage") from None
    if url.password is not None or any("password" in key.lower() for key in url.query):
        raise InputError(
            "The address of the storage has a password, which would get into the files of the search.",
            where="sweep.storage",
            fix="leave it out, and put it in PGPASSWORD or ~/.pgpass",
        )
    if find_spec("psycopg") is None:
        raise InputError("A PostgreSQL storage needs psycopg.", fix='pip install "tiebreak[postgresql]"')
    return f"postgresql+psycopg://{rest}"


def _database(url: str) -> BaseStorage:
    from optuna.storages import RDBStorage

    return RDBStorage(url, engine_kwargs={"connect_args": {"timeout": _SECONDS}} if url.startswith("sqlite") else None)


def _journal(path: Path) -> BaseStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    class WholeLines(JournalFileOpenLock):
        """Held by one process while it writes; first it cuts off what a process that ended left half."""

        def __init__(self) -> None:
            super().__init__(str(path))
            self.held: IO[bytes] | None = None

        def acquire(self) -> bool:
            lock = path.with_name(f".{path.name}.lock").open("wb")
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.held = lock
            cut_half_line(path)
            return True

        def release(self) -> None:
            if self.held is not None:
                self.held.close()
                self.held = None

    lock = WholeLines()
    lock.acquire()
    lock.release()
    try:
        return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
    except (ValueError, KeyError, AssertionError) as error:
        raise InputError(
            f"The trials of the search cannot be read: {error}.",
            where=str(path),
            fix="put the file back, or begin a new search",
        ) from None


def cut_half_line(path: Path) -> None:
    """Cut off a last line that has no end.

    Args:
        path: of a file with one entry a line, which need not be there.
    """
    if not path.is_file() or path.stat().st_size == 0:
        return
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(size - 1)
        if file.read(1) == b"\n":
            return
        at, block = size, 65_536
        while at > 0:
            start = max(0, at - block)
            file.seek(start)
            found = file.read(at - start).rfind(b"\n")
            if found >= 0:
                file.truncate(start + found + 1)
                return
            at = start
        file.truncate(0)


def _said(error: Exception) -> str:
    """The first line of what a database says, without the address."""
    cause = error if getattr(error, "orig", None) else error.__cause__ or error
    lines = str(getattr(cause, "orig", None) or cause).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(cause).__name__
