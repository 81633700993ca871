"""What changed between two models, in plain words: before, after, and the difference with its interval."""

from __future__ import annotations

from typing import Protocol

from tiebreak.formatting.numbers import percent, plain, signed


class Interval(Protocol):
    """A value with its interval."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


class Changed(Protocol):
    """A trait before and after, as `evaluate.changes.Change` has it."""

    @property
    def before(self) -> float: ...
    @property
    def after(self) -> float: ...
    @property
    def difference(self) -> Interval: ...
    @property
    def share(self) -> bool: ...
    @property
    def unit(self) -> str | None: ...


def written_change(change: Changed) -> tuple[str, str, str]:
    """Before, after, and the difference with its interval."""
    lead = change.difference
    if change.unit is not None:  # small, and not in the unit of the two before it
        value, low, high = (signed(each, 3) for each in (lead.value, lead.low, lead.high))
        return plain(change.before), plain(change.after), f"{value} {change.unit} ({low} to {high})"
    if not change.share:
        value, low, high = (signed(each, 1) for each in (lead.value, lead.low, lead.high))
        return f"{change.before:.1f}", f"{change.after:.1f}", f"{value} ({low} to {high})"
    value, low, high = (signed(100 * each, 1) for each in (lead.value, lead.low, lead.high))
    return percent(change.before), percent(change.after), f"{value} points ({low} to {high})"
