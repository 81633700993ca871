"""Voters: the key that only a voter's browser has, and the name that stands with the votes.

A vote is kept under a name that follows from the key and does not give it back. So whoever reads votes, exports or the
database learns no key, and whoever sends the name in place of the key is nobody.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets

from tiebreak.errors import InputError
from tiebreak.votes.checks import check_voter

MIN_STEWARD_KEY = 8
_NAME = re.compile(r"v-[A-Za-z0-9_-]{22}")


def new_voter() -> str:
    """A key: random letters, of nobody and from nowhere."""
    return secrets.token_urlsafe(18)


def known_voter(given: object) -> str | None:
    """The key that a browser sent; None where it is none, or is the name of a voter."""
    try:
        check_voter(given)  # type: ignore[arg-type]
    except InputError:
        return None
    return None if is_name(str(given)) else str(given)


def voter_of(key: str) -> str:
    """The name of the voter who has a key."""
    digest = hashlib.sha256(f"tiebreak voter\0{key}".encode()).digest()
    return "v-" + base64.urlsafe_b64encode(digest)[:22].decode()


def is_name(given: str) -> bool:
    """Whether a text is the name of a voter, and so no secret."""
    return _NAME.fullmatch(given) is not None


def stewards_of(given: tuple[str, ...], where: str = "--stewards") -> frozenset[str]:
    """The names of those who may correct others' votes.

    Args:
        given: their keys, or their names; in one text several may stand with commas or blanks between them.
        where: named in errors; a key never is.
    Raises:
        InputError: one is no key, or short enough to be guessed.
    """
    found = [each for text in given for each in re.split(r"[,\s]+", text) if each]
    for each in found:
        try:
            check_voter(each)
        except InputError:
            raise InputError(
                "A steward's key must be letters, digits, '-' or '_'.",
                where=where,
                fix='take the key, or the name, that the Data page shows under "Your key"',
            ) from None
        if len(each) < MIN_STEWARD_KEY:
            raise InputError(
                f"A steward's key must have {MIN_STEWARD_KEY} letters or more, so that nobody guesses it.", where=where
            )
    return frozenset(each if is_name(each) else voter_of(each) for each in found)
