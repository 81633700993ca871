"""What training did to each held-out pair: whether it got better or worse, and whether its likelier completion changed.

Knows log-probs; nothing of texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tiebreak.runs.outcome import PairsRecord

Logps = Sequence[Sequence[float]]
"""Of each pair the log-probs of the chosen and of the rejected completion, in nats."""


@dataclass(frozen=True)
class PairChange:
    """One pair.

    Attributes:
        pair: its place among the held-out pairs, from 0.
        before, after: log-prob of the chosen completion less that of the rejected one, in nats.
    """

    pair: int
    before: float
    after: float

    @property
    def gain(self) -> float:
        """What the chosen completion gained on the rejected one, in nats: the margin, before it is times beta."""
        return self.after - self.before

    @property
    def flipped(self) -> Literal["to chosen", "to rejected"] | None:
        """Which completion is the likelier one now, where before it was the other, or neither."""
        if self.after > 0 >= self.before:
            return "to chosen"
        return "to rejected" if self.before > 0 >= self.after else None


def pair_changes(before: Logps, after: Logps) -> list[PairChange]:
    """Every pair, in order.

    Args:
        before, after: log-probs of the same pairs by the model before training, and by the trained one.
    Raises:
        ValueError: they are not of as many pairs.
    """
    pairs = zip(before, after, strict=True)
    return [PairChange(i, mine[0] - mine[1], now[0] - now[1]) for i, (mine, now) in enumerate(pairs)]


def counted(changes: Sequence[PairChange]) -> PairsRecord:
    """How many pairs went which way."""
    return PairsRecord(
        better=sum(change.gain > 0 for change in changes),
        worse=sum(change.gain < 0 for change in changes),
        to_chosen=sum(change.flipped == "to chosen" for change in changes),
        to_rejected=sum(change.flipped == "to rejected" for change in changes),
    )
