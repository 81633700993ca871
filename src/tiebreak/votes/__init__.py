"""The comparisons that people made: kept safely, counted, and turned into rows to train on.

`open_votes` is the way in: from an address to an open store, or one sentence why not. The database libraries are loaded
only when a store is opened.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tiebreak.errors import InputError
from tiebreak.votes.vote import Answer, Vote

if TYPE_CHECKING:
    from tiebreak.votes.store import VoteStore

__all__ = ["Answer", "Vote", "open_votes"]


def open_votes(url: str, *, create: bool = True) -> VoteStore:
    """Open a store, and bring its schema up to date.

    Args:
        url: a path, `sqlite:///path`, or `postgresql+psycopg://user@host/database`.
        create: create the store if there is none; otherwise that is an error.
    Raises:
        InputError: the address, the file, the server or the password is wrong, the store is newer than Tiebreak, or
            the extra is not installed.
        RunError: the database is locked, full, or lost.
    """
    from tiebreak.votes.address import parse_address

    address = parse_address(url)
    if address.path is not None:
        _check_file(address.path, create=create)
    from tiebreak.votes.store import VoteStore

    return VoteStore(address, create=create)


def _check_file(path: Path, *, create: bool) -> None:
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as error:  # no right to look into its folder, or a name that is too long
        raise InputError(f"The votes store cannot be opened: {error.strerror}.", where=str(path)) from None
    if is_folder:
        raise InputError("This is a folder, not a votes store.", where=str(path), fix="name a file in it")
    if not exists and not create:
        raise InputError(
            f"There is no file '{path}'.", fix=f"check the path; `tiebreak serve --votes {path}` collects votes"
        )
