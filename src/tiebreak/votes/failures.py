"""What a database says when it fails, as a sentence for the user.

Only the driver's own first line is ever repeated, never a statement, its values or a URL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tiebreak.errors import InputError, RunError, TiebreakError
from tiebreak.votes.address import Address


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
        raise RunError("The votes are asked for by too many at once.", where=address.shown, fix="try again") from None
    except DBAPIError as error:
        if address.kind == "sqlite":
            raise _of_sqlite(error, address) from None
        raise _of_postgresql(error, address) from None
    except SQLAlchemyError as error:
        raise RunError(f"The votes cannot be used: {_first_line(error, address)}.", where=address.shown) from None


def _first_line(error: BaseException | None, address: Address) -> str:
    """The first line of what the driver said, without the password wherever it stands."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    secrets = [address.url.password, *(value for key, value in address.url.query.items() if "password" in key.lower())]
    for secret in secrets:
        if isinstance(secret, str) and secret:
            first = first.replace(secret, "***")
    return first.rstrip(".:")


def _of_sqlite(error: DBAPIError, address: Address) -> TiebreakError:
    where, said = address.shown, _first_line(error.orig, address)
    low = said.lower()
    if "readonly" in low:
        return InputError("The votes cannot be written: the file or its folder is read-only.", where=where)
    if "not a database" in low:
        return InputError(
            "The file is no SQLite database, or its beginning is damaged.",
            where=where,
            fix="check the path, or restore the file from a copy",
        )
    if "malformed" in low or "could not decode" in low:
        return InputError("The votes are damaged.", where=where, fix="restore the file from a copy")
    if "unable to open" in low:
        return InputError(
            "The votes cannot be opened: there is no such folder, or no right to use it.",
            where=where,
            fix="make the folder, or name another file",
        )
    if "locked" in low or "busy" in low:
        return RunError("Another program keeps the votes locked.", where=where, fix="end it, or try again")
    if "full" in low or "disk i/o" in low:
        return RunError(f"The disk refuses the votes: {said}.", where=where, fix="make room")
    return RunError(f"SQLite could not do it: {said}.", where=where)


def _of_postgresql(error: DBAPIError, address: Address) -> TiebreakError:
    where, said, low = address.shown, _first_line(error.orig, address), str(error.orig).lower()
    state = getattr(error.orig, "sqlstate", None)
    if error.statement is None or error.statement == "":
        return _of_connecting(said, low, where)
    if state in ("42501", "25006"):
        return InputError(f"The PostgreSQL server allows no writing here: {said}.", where=where)
    if error.connection_invalidated:
        return RunError("The connection to the PostgreSQL server was lost.", where=where, fix="try again")
    return RunError(f"PostgreSQL could not do it: {said}.", where=where)


def _of_connecting(said: str, low: str, where: str) -> TiebreakError:
    if "password" in low:
        return InputError(
            "The PostgreSQL server refuses the user or the password.",
            where=where,
            fix="check the user; a password can also stand in PGPASSWORD or ~/.pgpass",
        )
    if "database" in low and "does not exist" in low:
        return InputError("The PostgreSQL server has no such database.", where=where, fix="make it with createdb")
    if "role" in low and "does not exist" in low:
        return InputError("The PostgreSQL server has no such user.", where=where, fix="make it with createuser")
    return InputError(
        f"The PostgreSQL server cannot be reached: {said}.", where=where, fix="check host and port, or start it"
    )


def damaged(address: Address) -> InputError:
    """A row that holds what no store writes."""
    return InputError("The votes are damaged.", where=address.shown, fix="restore them from a copy")
