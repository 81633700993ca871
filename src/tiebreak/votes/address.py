"""Where a store lies: a path or a URL as the user wrote it, and how messages name it without its password.

Knows the forms of addresses; opens nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tiebreak.errors import InputError

if TYPE_CHECKING:
    from sqlalchemy import URL

_FORMS = "give a file such as votes.db, sqlite:///votes.db, or postgresql+psycopg://USER@HOST/DATABASE"
_POSTGRES = ("postgresql+psycopg", "postgresql", "postgres")
# The parts of a query that say where, and so may be shown; a password can stand in any other.
_SHOWN = ("host", "port", "dbname")


@dataclass(frozen=True)
class Address:
    """Where a store lies.

    Attributes:
        kind: which database.
        url: for SQLAlchemy.
        shown: what messages call it: a path, or the URL without password and settings.
        path: the file, for SQLite.
        password: whether the URL carries one.
    """

    kind: Literal["sqlite", "postgresql"]
    url: URL
    shown: str
    path: Path | None = None
    password: bool = False


def parse_address(text: str) -> Address:
    """Understand a path or a URL.

    Raises:
        InputError: it is neither a path nor a URL of a database that is supported. Nothing of a URL that was not
            understood is repeated, since a password may stand anywhere in it.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        if text.startswith("sqlite:") or "\0" in text:
            raise InputError("The address of the votes is not understood.", fix=_FORMS)
        return _file(text)
    if scheme == "sqlite":
        return _file(_sqlite_path(rest))
    if scheme in _POSTGRES:
        return _server(text)
    raise InputError("Votes are kept in SQLite or PostgreSQL, and the address is of something else.", fix=_FORMS)


def _sqlite_path(rest: str) -> str:
    if not rest.startswith("/"):
        raise InputError("A SQLite address has three slashes before its path.", fix=_FORMS)
    if "?" in rest:
        raise InputError("A SQLite address has no settings after '?'.", fix=_FORMS)
    return rest[1:]


def _file(text: str) -> Address:
    from sqlalchemy import URL

    if text.strip() in ("", ":memory:"):
        raise InputError("Votes need a file: what is only in memory is lost.", fix=_FORMS)
    path = Path(text).expanduser()
    return Address("sqlite", URL.create("sqlite", database=str(path)), str(path), path)


def _server(text: str) -> Address:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        raise InputError("The address of the PostgreSQL server is not understood.", fix=_FORMS) from None
    if "@" in (url.host or "") or "@" in (url.database or "") or "@" in (url.username or ""):
        raise InputError(
            "The address of the PostgreSQL server has more than one '@'.",
            fix="write the '@' of a password as %40, or leave the password to PGPASSWORD or ~/.pgpass",
        )
    url = url.set(drivername="postgresql+psycopg")
    where = {key: value for key, value in url.query.items() if key in _SHOWN}
    shown = url.set(query=where).render_as_string(hide_password=True)
    secret = url.password is not None or any("password" in key.lower() for key in url.query)
    return Address("postgresql", url, shown.replace("%2F", "/"), password=secret)
