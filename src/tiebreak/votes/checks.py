"""What a vote may hold: lengths, letters, numbers.

Text that a database could not give back as it was is refused: NUL characters (PostgreSQL has none) and halves of
surrogate pairs (UTF-8 has none).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from tiebreak.errors import InputError
from tiebreak.votes.vote import OPERATOR, ROLES, VERDICTS, Answer, EarlierVersion, Sampling, Turn, Verdict, Vote

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
        InputError: a field is too long, empty where it must not be, or contains what no database can keep.
    """
    check_id(vote.id)
    check_voter(vote.voter)
    check_compared(vote.prompt, vote.left, vote.right)
    if vote.comparison is not None:
        check_id(vote.comparison)
    check_said(vote)
    for earlier in vote.corrections:
        check_said(earlier)
        check_time(earlier.until)
        if earlier.by is not None and earlier.by != OPERATOR:
            check_voter(earlier.by)
    check_time(vote.time)
    if vote.withdrawn:
        raise _wrong("withdrawn", "A new vote cannot be withdrawn.")


def check_compared(prompt: Sequence[Turn], left: Answer, right: Answer) -> None:
    """Refuse a prompt and two answers that cannot be kept."""
    if not 1 <= len(prompt) <= MAX_TURNS:
        raise _wrong("prompt", f"A prompt must have 1 to {MAX_TURNS} turns, not {len(prompt)}.")
    _check_turns(prompt, "prompt")
    if prompt[-1][0] != "user" or not prompt[-1][1].strip():
        raise _wrong("prompt", "A prompt must end with a turn of the user that has text.")
    _check_answer(left, "left")
    _check_answer(right, "right")


def check_time(time: datetime) -> None:
    """Refuse a time that cannot be kept."""
    if time.tzinfo is None:
        raise _wrong("time", "The time of a vote needs a time zone.")
    if not EARLIEST <= time < LATEST:
        raise _wrong("time", f"The time of a vote must lie between the years {EARLIEST.year} and {LATEST.year}.")


def check_said(said: Vote | EarlierVersion) -> None:
    """Refuse a verdict, a reason or an edited answer that cannot be kept."""
    check_verdict(said.verdict)
    check_reason(said.reason)
    check_edited(said.edited)


def check_id(value: str) -> None:
    """Refuse what is not the id of a vote, of a comparison or of an evaluation."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise _wrong("id", "An id must be 32 hexadecimal digits in lower case.")


def check_voter(value: str) -> None:
    """Refuse what is not a pseudonymous key, an address above all."""
    if not isinstance(value, str) or not _VOTER.fullmatch(value):
        raise _wrong(
            "voter", "A voter's key must be 1 to 128 letters, digits, '-' or '_'; it cannot be an e-mail or IP address."
        )


def check_verdict(value: str) -> Verdict:
    """The value as a verdict; refuse what is none."""
    if value not in VERDICTS:
        raise _wrong("verdict", f"A verdict must be one of {', '.join(VERDICTS)}.")
    return value


def check_reason(value: str | None) -> None:
    """Refuse a reason that cannot be kept."""
    if value is not None:
        check_text(value, "reason", MAX_REASON_CHARS)


def check_edited(value: str | None) -> None:
    """Refuse an edited answer that cannot be kept."""
    if value is not None:
        check_text(value, "edited", MAX_ANSWER_CHARS)


def _check_turns(turns: Sequence[Turn], where: str) -> None:
    for number, (role, content) in enumerate(turns, 1):
        if role not in ROLES:
            raise _wrong(f"{where}, turn {number}", f"A turn's role must be one of {', '.join(ROLES)}.")
        check_text(content, f"{where}, turn {number}", MAX_PROMPT_CHARS)
    if sum(len(content) for _, content in turns) > MAX_PROMPT_CHARS:
        raise _too_long(where, MAX_PROMPT_CHARS)


def _check_answer(answer: Answer, side: str) -> None:
    if len(answer.before) > MAX_TURNS:
        raise _wrong(f"{side}.before", f"A side must have at most {MAX_TURNS} turns of its own.")
    _check_turns(answer.before, f"{side}.before")
    if answer.before and [answer.before[0][0], answer.before[-1][0]] != ["assistant", "user"]:
        raise _wrong(f"{side}.before", "The turns of a side must begin with the assistant's and end with the user's.")
    check_text(answer.text, f"{side}.text", MAX_ANSWER_CHARS)
    check_text(answer.model, f"{side}.model", MAX_MODEL_CHARS)
    if not answer.model.strip():
        raise _wrong(f"{side}.model", "A model needs a name.")
    check_text(answer.fingerprint, f"{side}.fingerprint", MAX_FINGERPRINT_CHARS)
    _check_sampling(answer.sampling, f"{side}.sampling")
    seed = answer.seed
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED):
        raise _wrong(f"{side}.seed", "A seed must be a whole number from 0 to 2^63 - 1.")


def _check_sampling(sampling: Sampling, where: str) -> None:
    for key, value in sampling.items():
        check_text(key, where, MAX_SAMPLING_CHARS)
        if isinstance(value, str):
            check_text(value, where, MAX_SAMPLING_CHARS)
        elif value is not None and not (isinstance(value, int | float) and math.isfinite(value)):
            raise _wrong(where, "A sampling setting must be a finite number, text or null.")
    if len(json.dumps(dict(sampling))) > MAX_SAMPLING_CHARS:
        raise _too_long(where, MAX_SAMPLING_CHARS)


def check_text(value: str, where: str, limit: int) -> None:
    """Refuse text that is too long, or that a database could not give back."""
    if not isinstance(value, str):
        raise _wrong(where, f"Expected text, found a {type(value).__name__}.")
    if len(value) > limit:
        raise _too_long(where, limit)
    if "\0" in value:
        raise _wrong(where, "The text contains a NUL character, which a database cannot keep.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _wrong(
            where, "The text contains half a character (a lone surrogate), so it is not valid Unicode."
        ) from None


def _too_long(where: str, limit: int) -> InputError:
    return _wrong(where, f"The text is longer than {limit:,} characters.")


def _wrong(where: str, what: str) -> InputError:
    return InputError(what, where=f"vote, {where}")
