"""The answers before and after, as a page shows them: what changed in each, and the orders that they can be put in.

What changed most comes first, since that is what a reader looks for; the page's script puts them in another order.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape

from tiebreak.formatting.text import shortened, visible
from tiebreak.runs.samples import Sample

_TEXTS = 900_000  # bytes that all texts of the samples may have in the page
_LIMITS = (3000, 1500, 800, 400, 200)


@dataclass(frozen=True)
class Order:
    """An order that the answers can be put in: what has the larger change stands first."""

    key: str
    label: str


ORDERS = (
    Order("words", "most changed"),
    Order("verdict", "judge's verdict"),
    Order("length", "length"),
    Order("repetition", "repetition"),
    Order("gain", "gain of the chosen answer"),
)


@dataclass(frozen=True)
class Changed:
    """A sample with what changed in it.

    Attributes:
        sample: the sample.
        place: its place among the held-out prompts, from 0.
        changes: how large each change is, by the key of its order; what was not measured is not there.
    """

    sample: Sample
    place: int
    changes: Mapping[str, float] = field(default_factory=dict)

    @property
    def said(self) -> str:
        """How much of the answer changed; empty where there are no two answers."""
        return f"{self.changes['words']:.0%} of the words changed" if "words" in self.changes else ""


def answers_shown(samples: Sequence[Sample]) -> tuple[list[Changed], list[Order]]:
    """Samples in the order in which they are shown, and the orders that they can be put in.

    Args:
        samples: in the order of the held-out prompts.
    Returns:
        The samples, of which most changed first, those without two answers last; and the orders by which any two
        differ.
    """
    changed = [Changed(sample, place, _changes(sample)) for place, sample in enumerate(samples)]
    changed.sort(key=lambda each: -each.changes.get("words", -1.0))
    orders = [order for order in ORDERS if len({each.changes.get(order.key) for each in changed}) > 1]
    return changed, orders


def within_page(samples: Sequence[Sample], *, longest: int) -> list[Sample]:
    """Samples whose texts are shortened until all of them together are no more than a page may weigh.

    Args:
        samples: that are shown.
        longest: characters to which the page shortens each text in any case.
    Returns:
        The samples as they are, where that suffices.
    """
    texts = [text for sample in samples for text in _texts(sample)]
    for limit in (longest, *_LIMITS):
        shown = (escape(visible(text[:limit])).encode("utf-8", errors="replace") for text in texts)
        if sum(map(len, shown)) <= _TEXTS:
            break
    return [sample if limit == longest else _cut(sample, limit) for sample in samples]


def _cut(sample: Sample, limit: int) -> Sample:
    def cut(text: str | None) -> str | None:
        return None if text is None else shortened(text, limit)

    return replace(
        sample,
        prompt=tuple(replace(turn, content=shortened(turn.content, limit)) for turn in sample.prompt),
        chosen=cut(sample.chosen),
        rejected=cut(sample.rejected),
        before=cut(sample.before),
        after=cut(sample.after),
    )


def _texts(sample: Sample) -> list[str]:
    texts = (sample.before, sample.after, sample.chosen, sample.rejected, *(turn.content for turn in sample.prompt))
    return [text for text in texts if text is not None]


def _changes(sample: Sample) -> dict[str, float]:
    found = {
        "words": _other_words(sample.before, sample.after),
        "verdict": _turned(sample.before_passed, sample.after_passed),
        "length": _difference(sample.before_tokens, sample.after_tokens),
        "repetition": _difference(sample.before_repetition, sample.after_repetition),
        "gain": None if sample.gain is None else abs(sample.gain),
    }
    return {key: value for key, value in found.items() if value is not None and math.isfinite(value)}


def _other_words(before: str | None, after: str | None) -> float | None:
    """The share of the words of both answers that stand in one of them only; 0 is the same words, 1 none in common."""
    if before is None or after is None:
        return None
    mine, now = Counter(before.split()), Counter(after.split())
    whole = mine.total() + now.total()
    return 1 - 2 * (mine & now).total() / whole if whole else 0.0


def _turned(before: bool | None, after: bool | None) -> float | None:
    """2 where an answer passed and does not any more, 1 where it passes now, 0 where nothing changed."""
    if before is None or after is None:
        return None
    return 2.0 if before and not after else float(after and not before)


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else abs(after - before)
