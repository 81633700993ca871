"""What a store says that cannot be opened."""

from __future__ import annotations

import pytest

from tiebreak.errors import InputError, TiebreakError
from tiebreak.votes import open_votes


def refused(url: str, kind: type[TiebreakError] = InputError, *, create: bool = True) -> str:
    """The message with which a store is not opened: one sentence, and no other error behind it."""
    with pytest.raises(kind) as error:
        open_votes(url, create=create)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None
    assert "\n" not in error.value.what
    return str(error.value)
