"""samples.json: held-out prompts with the completions of the data and the model's own answers, before and after.

Knows the file's form; escapes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tiebreak.files import write_json
from tiebreak.runs.metrics_file import number_in

_SPEAKERS = {"user": "User", "assistant": "Assistant", "system": "System"}


@dataclass(frozen=True)
class SampleMessage:
    """One turn of a prompt: whose it is, as the data name it, and what was said."""

    role: str
    content: str

    @property
    def speaker(self) -> str:
        """Who speaks, in plain words."""
        return _SPEAKERS.get(self.role, self.role)


@dataclass(frozen=True)
class Sample:
    """A prompt, the two completions that the data hold, and the model's own answers.

    Attributes:
        prompt: the turns.
        chosen, rejected: what the data hold, or None.
        before, after: what the model answered before and after training, or None.
        before_passed, after_passed: what the judge said of that, or None.
        before_tokens, after_tokens: how long these answers are, or None.
        before_repetition, after_repetition: which share of their word triples stood in them before, or None.
        gain: what the chosen completion gained on the rejected one by training, in nats, or None.
        flipped: `to chosen` or `to rejected`, where the likelier of the two is another one now.
    """

    prompt: tuple[SampleMessage, ...] = ()
    chosen: str | None = None
    rejected: str | None = None
    before: str | None = None
    after: str | None = None
    before_passed: bool | None = None
    after_passed: bool | None = None
    before_tokens: int | None = None
    after_tokens: int | None = None
    before_repetition: float | None = None
    after_repetition: float | None = None
    gain: float | None = None
    flipped: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As it stands in samples.json."""
        return {**asdict(self), "prompt": [asdict(turn) for turn in self.prompt]}


def write_samples(path: Path, samples: Iterable[Sample]) -> None:
    """Replace samples.json at once."""
    write_json(path, [sample.to_json() for sample in samples])


def read_samples(path: Path) -> tuple[Sample, ...]:
    """The samples in a file; none where it is missing or damaged, for a report must not fail on its illustrations."""
    try:
        return parse_samples(json.loads(path.read_text(encoding="utf-8", errors="replace")))
    except (OSError, ValueError, RecursionError):
        return ()


def parse_samples(found: object) -> tuple[Sample, ...]:
    """Samples from plain values; what has another form than a sample is dropped."""
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
        before_tokens=_count(entry.get("before_tokens")),
        after_tokens=_count(entry.get("after_tokens")),
        before_repetition=number_in(entry, "before_repetition"),
        after_repetition=number_in(entry, "after_repetition"),
        gain=number_in(entry, "gain"),
        flipped=_text(entry.get("flipped")),
    )


def _turn(turn: Mapping[str, Any]) -> SampleMessage:
    return SampleMessage(str(turn.get("role", "")), _text(turn.get("content")) or "")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _bool(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
