"""The way into the store: from an address to an open store, or one sentence why not.

Loads the database libraries only when a store is opened.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tiebreak.errors import InputError

if TYPE_CHECKING:
    from tiebreak.votes.address import Address
    from tiebreak.votes.store import VoteStore


def open_votes(url: str, *, create: bool = True) -> VoteStore:
    """Open a store, and bring its schema up to date.

    Args:
        url: a path, `sqlite:///path`, or `postgresql+psycopg://user@host/database`.
        create: make the store where there is none; otherwise that is an error.
    Raises:
        InputError: the address, the file, the server or the password is wrong, the store is newer than Tiebreak, or
            the extra is not installed.
        RunError: the database is locked, full, or lost.
    """
    address = address_of(url)
    if address.path is not None:
        _look_at(address.path, create=create)
    from tiebreak.votes.store import VoteStore

    return VoteStore(address, create=create)


def address_of(url: str) -> Address:
    """Understand an address, and see that what it needs is installed.

    Raises:
        InputError: it is not understood, or the extra is not installed.
    """
    _need("sqlalchemy", "alembic")
    from tiebreak.votes.address import parse_address

    address = parse_address(url)
    if address.kind == "postgresql":
        _need("psycopg")
    return address


def _look_at(path: Path, *, create: bool) -> None:
    try:
        folder, there = path.is_dir(), path.exists()
    except OSError as error:  # no right to look into its folder, or a name that is too long
        raise InputError(f"The votes cannot be opened: {error.strerror}.", where=str(path)) from None
    if folder:
        raise InputError("This is a folder, not a file of votes.", where=str(path), fix="name a file in it")
    if not there and not create:
        raise InputError(f"There is no file '{path}'.", fix="check the path; `tiebreak serve --votes` collects votes")


def _need(*modules: str) -> None:
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise InputError(
            f"Votes need {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed.",
            fix='pip install "tiebreak[serve]"',
        )
