"""The held-out pairs that are worth a look, in groups by what training did to them.

Knows the lines of held_out.jsonl; escapes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from tiebreak.runs.held_out import HeldOutPair

_MOST = 5
_WRONG, _LOST = "Most wrong after training", "Lost most"


def moved_most(pairs: Sequence[HeldOutPair]) -> list[tuple[str, list[HeldOutPair]]]:
    """The held-out pairs that are worth a look.

    Args:
        pairs: all of them.
    Returns:
        Titles with their pairs; groups without a pair are not there. Where a reward is what a completion gained, those
        that are most wrong are those that lost most, and are not listed twice.
    """
    by_gain = sorted(pairs, key=lambda pair: pair.gain)
    margins = [(pair.margin, pair) for pair in pairs if pair.margin is not None]
    groups = {
        _WRONG: [pair for margin, pair in sorted(margins, key=lambda each: each[0]) if margin < 0],
        _LOST: [pair for pair in by_gain if pair.gain < 0],
        "Gained most": [pair for pair in by_gain[::-1] if pair.gain > 0],
        "The chosen answer became the likelier one": [pair for pair in by_gain[::-1] if pair.flipped == "to chosen"],
        "The rejected answer became the likelier one": [pair for pair in by_gain if pair.flipped == "to rejected"],
    }
    found = {title: group[:_MOST] for title, group in groups.items() if group}
    if _WRONG in found and _LOST in found and {p.pair for p in found[_WRONG]} == {p.pair for p in found[_LOST]}:
        del found[_LOST]
    return list(found.items())
