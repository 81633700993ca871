"""Shares with their 95% intervals as small pictures: accuracy, pass rates, win rate, on one axis from 0% to 100%."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tiebreak.formatting import numbers
from tiebreak.metrics import Metric, shown_in
from tiebreak.runs.intervals import Interval, intervals
from tiebreak.runs.manifest import Manifest, Side
from tiebreak.tasks import TASKS

_WIDTH, _HEIGHT, _EDGE = 400, 24, 10


@dataclass(frozen=True)
class Share:
    """One share.

    Attributes:
        label: what it is, and of which side of training.
        written: value and interval as text.
        svg: the picture, an `<svg>` element of numbers alone.
        is_after: whether it is of the trained model.
    """

    label: str
    written: str
    svg: str
    is_after: bool


def shares_of(manifest: Manifest) -> list[Share]:
    """The shares of a run that have an interval, in the order of its table; before training first."""
    found = []
    for metric, shown in shown_in(TASKS[manifest.task].table):
        sides: Sequence[Side] = ("before", "after") if metric.before else ("after",)
        for side in sides:
            value, interval = manifest.final(metric.recorded, side), intervals(manifest, side).get(metric.recorded)
            if value is not None and interval is not None and _is_share(value, *interval):
                label = f"{shown.label}, {side}" if metric.before else shown.label
                found.append(_share(metric, label, value, interval, is_after=side == "after"))
    return found


def _is_share(*values: float) -> bool:
    return all(0 <= value <= 1 for value in values)


def _share(metric: Metric, label: str, value: float, interval: Interval, *, is_after: bool) -> Share:
    written = numbers.with_interval(value, interval)
    return Share(label, written, share_svg(value, interval, chance=metric.chance, said=written), is_after)


def share_svg(value: float, interval: Interval, *, chance: float | None, said: str) -> str:
    """A dot with its interval on the axis from 0 to 1.

    Args:
        value, interval: between 0 and 1.
        chance: the share that is marked; None marks none.
        said: the same in text, of numbers alone.
    """
    middle, low, high = _HEIGHT / 2, _at(interval[0]), _at(interval[1])
    marked = f'<path class="chance" d="M{_at(chance):g} 1V{_HEIGHT - 1}"/>' if chance is not None else ""
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{said}">'
        f'<path class="axis" d="M{_EDGE} {middle:g}H{_WIDTH - _EDGE}"/>{marked}'
        f'<path class="interval" d="M{low:g} {middle:g}H{high:g}"/>'
        f'<circle cx="{_at(value):g}" cy="{middle:g}" r="6"/></svg>'
    )


def _at(share: float) -> float:
    return round(_EDGE + share * (_WIDTH - 2 * _EDGE), 1)
