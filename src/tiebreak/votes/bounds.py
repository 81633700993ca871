"""What a vote may hold: lengths, letters, numbers.

Every bound is a constant here. Text is refused where a database could not give it back as it was: NUL characters
(PostgreSQL has none) and halves of surrogate pairs (UTF-8 has none).
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from typing import get_args

from tiebreak.errors import InputError
from tiebreak.votes.vote import ROLES, Answer, Sampling, Verdict, Vote

MAX_TURNS = 200
MAX_PROMPT_CHARS = 1 << 20
MAX_ANSWER_CHARS = 1 << 20
MAX_REASON_CHARS = 10_000
MAX_MODEL_CHARS = 500
MAX_FINGERPRINT_CHARS = 200
MAX_SAMPLING_CHARS = 4_000
MAX_SEED = 2**63 - 1
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

_ID = re.compile(r"[0-9a-f]{32}")
# No dot, no colon, no @: neither an e-mail address nor an IP address fits.
_VOTER = re.compile(r"[A-Za-z0-9_-]{1,128}")


def check_vote(vote: Vote) -> None:
    """Refuse what the store does not keep.

    Raises:
        InputError: a field is too long, empty where it must not be, or holds what no database can keep.
    """
    check_id(vote.id)
    check_voter(vote.voter)
    if not 1 <= len(vote.prompt) <= MAX_TURNS:
        raise _wrong("prompt", f"A prompt has 1 to {MAX_TURNS} turns, not {len(vote.prompt)}.")
    for place, (role, content) in enumerate(vote.prompt):
        if role not in ROLES:
            raise _wrong(f"prompt, turn {place + 1}", f"A turn's role is one of {', '.join(ROLES)}.")
        check_text(content, f"prompt, turn {place + 1}", MAX_PROMPT_CHARS)
    if vote.prompt[-1][0] != "user" or not vote.prompt[-1][1].strip():
        raise _wrong("prompt", "A prompt ends with a turn of the user that has text.")
    if sum(len(content) for _, content in vote.prompt) > MAX_PROMPT_CHARS:
        raise _too_long("prompt", MAX_PROMPT_CHARS)
    _check_answer(vote.left, "left")
    _check_answer(vote.right, "right")
    check_verdict(vote.verdict)
    check_reason(vote.reason)
    check_edited(vote.edited)
    if vote.time.tzinfo is None:
        raise _wrong("time", "The time of a vote needs a time zone.")
    if not EARLIEST <= vote.time < LATEST:
        raise _wrong("time", f"The time of a vote lies from {EARLIEST.year} to {LATEST.year}.")
    if vote.withdrawn:
        raise _wrong("withdrawn", "A new vote cannot be withdrawn already.")


def check_id(value: str) -> None:
    """Refuse what is no id of a vote."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise _wrong("id", "The id of a vote is 32 hexadecimal digits in lower case.")


def check_voter(value: str) -> None:
    """Refuse what is no pseudonymous key, an address above all."""
    if not isinstance(value, str) or not _VOTER.fullmatch(value):
        raise _wrong("voter", "The key of a voter is 1 to 128 letters, digits, '-' and '_', and never an address.")


def check_verdict(value: str) -> None:
    """Refuse what is no verdict."""
    if value not in get_args(Verdict):
        raise _wrong("verdict", f"A verdict is one of {', '.join(get_args(Verdict))}.")


def check_reason(value: str | None) -> None:
    """Refuse a reason that cannot be kept."""
    if value is not None:
        check_text(value, "reason", MAX_REASON_CHARS)


def check_edited(value: str | None) -> None:
    """Refuse an edited answer that cannot be kept."""
    if value is not None:
        check_text(value, "edited", MAX_ANSWER_CHARS)


def _check_answer(answer: Answer, side: str) -> None:
    check_text(answer.text, f"{side}.text", MAX_ANSWER_CHARS)
    check_text(answer.model, f"{side}.model", MAX_MODEL_CHARS)
    if not answer.model.strip():
        raise _wrong(f"{side}.model", "A model needs a name.")
    check_text(answer.fingerprint, f"{side}.fingerprint", MAX_FINGERPRINT_CHARS)
    _check_sampling(answer.sampling, f"{side}.sampling")
    seed = answer.seed
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED):
        raise _wrong(f"{side}.seed", "A seed is a whole number from 0 to 2^63 - 1.")


def _check_sampling(sampling: Sampling, where: str) -> None:
    for key, value in sampling.items():
        check_text(key, where, MAX_SAMPLING_CHARS)
        if isinstance(value, str):
            check_text(value, where, MAX_SAMPLING_CHARS)
        elif value is not None and not (isinstance(value, int | float) and math.isfinite(value)):
            raise _wrong(where, "A sampling setting is a finite number, text or nothing.")
    if len(json.dumps(dict(sampling))) > MAX_SAMPLING_CHARS:
        raise _too_long(where, MAX_SAMPLING_CHARS)


def check_text(value: str, where: str, limit: int) -> None:
    """Refuse text that is too long, or that a database could not give back."""
    if not isinstance(value, str):
        raise _wrong(where, f"Expected text, found a {type(value).__name__}.")
    if len(value) > limit:
        raise _too_long(where, limit)
    if "\0" in value:
        raise _wrong(where, "The text holds a NUL character, which no database keeps.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _wrong(where, "The text holds half a character (a lone surrogate), which is no Unicode text.") from None


def _too_long(where: str, limit: int) -> InputError:
    return _wrong(where, f"The text is longer than {limit:,} characters.")


def _wrong(where: str, what: str) -> InputError:
    return InputError(what, where=f"vote, {where}")
