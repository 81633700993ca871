"""Judges that are programs: which data has one, and what its verdicts say of a model, with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tiebreak.data.preference import Message

Judge = Callable[[Sequence[Message], str], bool]
_BUNDLED = "bundled:"


@dataclass(frozen=True)
class Share:
    """A share with its 95% interval."""

    value: float
    low: float
    high: float


def judge_for(source: str) -> tuple[str, Judge] | None:
    """The judge that comes with a data source, with its name; None where there is none."""
    if not source.startswith(_BUNDLED):
        return None
    from tiebreak.bundled.judge import judge

    return "the bundled judge", lambda prompt, answer: judge(prompt, answer).passed


def judge_named(setting: str, source: str) -> tuple[str, Judge] | None:
    """The judge that a recipe asks for.

    Args:
        setting: `auto`, `none` or `bundled`.
        source: where the data come from.
    """
    if setting == "none":
        return None
    return judge_for(_BUNDLED if setting == "bundled" else source)


def pass_rate(passed: Sequence[bool]) -> Share:
    """Share of answers that passed, with Wilson's interval."""
    n = len(passed)
    share, z = sum(passed) / n, 1.959964
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Share(share, max(0.0, middle - half), min(1.0, middle + half))


def win_rate(before: Sequence[bool], after: Sequence[bool], *, seed: int = 0) -> Share:
    """How often the model after beats the model before on the same prompts; equal verdicts are half a win.

    Args:
        before, after: whether each answer passed, prompt by prompt.
        seed: of the bootstrap over prompts that gives the interval (percentiles of 10,000 draws).
    """
    points = 0.5 + 0.5 * (np.asarray(after, dtype=float) - np.asarray(before, dtype=float))
    draws = np.random.default_rng(seed).integers(0, len(points), size=(10_000, len(points)))
    low, high = np.percentile(points[draws].mean(axis=1), [2.5, 97.5])
    return Share(float(points.mean()), float(low), float(high))


def judged(name: str, before: Sequence[bool] | None, after: Sequence[bool]) -> dict[str, Any]:
    """The judge's verdicts in the manifest's form."""

    def rate(passed: Sequence[bool]) -> dict[str, Any]:
        share = pass_rate(passed)
        return {"pass_rate": share.value, "interval": [share.low, share.high]}

    entry: dict[str, Any] = {"name": name, "prompts": len(after), "after": rate(after)}
    if before is not None:
        wins = win_rate(before, after)
        entry |= {"before": rate(before), "win_rate": {"value": wins.value, "interval": [wins.low, wins.high]}}
    return entry
