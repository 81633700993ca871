"""Where a votes store lies: a path or a URL as the user wrote it, and how messages name it without its password.

Knows the forms of addresses, which libraries each needs, and which store holds where nobody names one; opens nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tiebreak.errors import InputError
from tiebreak.files import data_folder

if TYPE_CHECKING:
    from sqlalchemy import URL

_FORMS = "use a file such as votes.db, sqlite:///votes.db, or postgresql+psycopg://USER@HOST/DATABASE"
VOTES_FILE = "votes.db"
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
        has_password: whether the URL carries one.
    """

    kind: Literal["sqlite", "postgresql"]
    url: URL
    shown: str
    path: Path | None = None
    has_password: bool = False

    @property
    def located(self) -> str:
        """The whole path of a file; of a server, the URL as it is shown."""
        return self.shown if self.path is None else str(self.path.resolve())


def default_votes(*, create_folder: bool = False) -> str:
    """The store of votes where nobody names one: `votes.db` in this folder if there is one, else the user's own.

    The user's own lies in `files.data_folder`, so that serving from a clone drops nothing into it.

    Args:
        create_folder: make the folder for a store that will be made.
    Raises:
        InputError: the folder cannot be made.
    """
    here = Path(VOTES_FILE)
    if here.is_file():
        return str(here)
    folder = data_folder()
    if create_folder:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"There can be no folder for the votes: {error.strerror}.",
                where=str(folder),
                fix="name a file with --votes",
            ) from None
    return str(folder / VOTES_FILE)


def parse_address(text: str) -> Address:
    """Understand a path or a URL, and see that the libraries it needs are installed.

    Raises:
        InputError: it is neither a path nor a URL of a database that is supported, or a library is missing. Nothing of
            a URL that was not understood is repeated, since a password may stand anywhere in it.
    """
    _need("sqlalchemy", "alembic")
    scheme, separator, rest = text.partition("://")
    if not separator:
        if text.startswith("sqlite:") or "\0" in text:
            raise InputError("The address of the votes store is not understood.", fix=_FORMS)
        return _file(text)
    if scheme == "sqlite":
        return _file(_sqlite_path(rest))
    if scheme in _POSTGRES:
        return _server(text)
    raise InputError("Votes are kept in SQLite or PostgreSQL; this address names something else.", fix=_FORMS)


def _sqlite_path(rest: str) -> str:
    if not rest.startswith("/"):
        raise InputError("A SQLite address needs three slashes before its path.", fix=_FORMS)
    if "?" in rest:
        raise InputError("A SQLite address takes no settings after '?'.", fix=_FORMS)
    return rest[1:]


def _file(text: str) -> Address:
    from sqlalchemy import URL

    if text.strip() in ("", ":memory:"):
        raise InputError("Votes need a file: a database in memory would be lost.", fix=_FORMS)
    path = Path(text).expanduser()
    return Address("sqlite", URL.create("sqlite", database=str(path)), str(path), path)


def _server(text: str) -> Address:
    _need("psycopg")
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        raise InputError("The address of the PostgreSQL server is not understood.", fix=_FORMS) from None
    if "@" in (url.host or "") or "@" in (url.database or "") or "@" in (url.username or ""):
        raise InputError(
            "The address of the PostgreSQL server has more than one '@'.",
            fix="write '@' in a password as %40, or put the password in PGPASSWORD or ~/.pgpass",
        )
    url = url.set(drivername="postgresql+psycopg")
    where = {key: value for key, value in url.query.items() if key in _SHOWN}
    shown = url.set(query=where).render_as_string(hide_password=True)
    has_password = url.password is not None or any("password" in key.lower() for key in url.query)
    return Address("postgresql", url, shown.replace("%2F", "/"), has_password=has_password)


def _need(*modules: str) -> None:
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise InputError(
            f"The votes store needs {' and '.join(missing)}: not installed.",
            fix='pip install "tiebreak[serve]"',
        )
