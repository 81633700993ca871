"""The samples of a run: held-out prompts and what the model answered before and after.

Reads what may be incomplete or of an unexpected form; escapes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SPEAKERS = {"user": "User", "assistant": "Assistant", "system": "System"}


@dataclass(frozen=True)
class Turn:
    """One turn of a prompt: who speaks, in plain words, and what."""

    speaker: str
    content: str


@dataclass(frozen=True)
class Sample:
    """A prompt, the two endings that were compared, and the model's own answers.

    Attributes:
        prompt: the turns.
        chosen, rejected: what the data holds, or None.
        before, after: what the model answered, or None.
        before_passed, after_passed: what the judge said, or None.
    """

    prompt: tuple[Turn, ...]
    chosen: str | None
    rejected: str | None
    before: str | None
    after: str | None
    before_passed: bool | None
    after_passed: bool | None


def read_samples(path: Path) -> tuple[Sample, ...]:
    """The samples in a file; none where it is missing or damaged, for a report must not fail on its illustrations."""
    try:
        return parse_samples(json.loads(path.read_text(encoding="utf-8", errors="replace")))
    except (OSError, ValueError, RecursionError):
        return ()


def parse_samples(found: object) -> tuple[Sample, ...]:
    """Samples from what `samples.json` holds; entries of another form are left out."""
    if not isinstance(found, list):
        return ()
    return tuple(_sample(entry) for entry in found if isinstance(entry, Mapping))


def _sample(entry: Mapping[str, Any]) -> Sample:
    turns = entry.get("prompt")
    turns = [{"role": "user", "content": turns}] if isinstance(turns, str) else turns
    return Sample(
        prompt=tuple(_turn(turn) for turn in turns if isinstance(turn, Mapping)) if isinstance(turns, list) else (),
        chosen=_text(entry.get("chosen")),
        rejected=_text(entry.get("rejected")),
        before=_text(entry.get("before")),
        after=_text(entry.get("after")),
        before_passed=_bool(entry.get("before_passed")),
        after_passed=_bool(entry.get("after_passed")),
    )


def _turn(turn: Mapping[str, Any]) -> Turn:
    role = str(turn.get("role", ""))
    return Turn(_SPEAKERS.get(role, role), _text(turn.get("content")) or "")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _bool(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
