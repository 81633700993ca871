"""The axes of a plot over steps: how far they reach, and the names at the ends of its lines.

Knows matplotlib's axes and series; nothing of what is drawn in them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tiebreak.metrics import Plot
from tiebreak.report.curves import Series
from tiebreak.report.looks import TEXT, short


@dataclass(frozen=True)
class End:
    """A name beside the axes.

    Attributes:
        height: where its line ends.
        label: the name.
        colour: a marked one (see `looks`).
    """

    height: float
    label: str
    colour: str = TEXT


def fit(axes: Any, plot: Plot, all_series: Sequence[Series]) -> str:
    """Fit the axes to the bulk of the values, so that one spike does not flatten everything else.

    Args:
        axes: of matplotlib.
        plot: says what its values are.
        all_series: all lines; at least one has a finite value.
    Returns:
        A sentence on values that lie outside; empty where all are inside.
    """
    from matplotlib.ticker import FuncFormatter

    low = [v for series in all_series for v in series.low if math.isfinite(v)]
    high = [v for series in all_series for v in series.high if math.isfinite(v)]
    bottom, top = _bulk(low, high)
    if plot.level is not None:
        bottom, top = min(bottom, plot.level[0]), max(top, plot.level[0])
    if plot.from_zero:
        bottom, top = min(bottom, 0.0), max(top, 0.0)
    room = 0.06 * (top - bottom) or 0.1 * abs(top) or 1.0
    axes.set_ylim(bottom if plot.from_zero else bottom - room, top + room)
    steps = [step for series in all_series for step in series.steps]
    if min(steps) == max(steps):
        axes.set_xlim(steps[0] - 1, steps[0] + 1)
        axes.set_xticks([steps[0]])
    else:
        start = 0 if 0 < min(steps) < 0.2 * max(steps) else min(steps)
        axes.set_xlim(start, max(steps) + 0.01 * (max(steps) - start))
    form = (lambda value, _: f"{100 * value:.4g}%") if plot.percent else (lambda value, _: short(value))
    axes.yaxis.set_major_formatter(FuncFormatter(form))
    if max(high) > top + room or min(low) < bottom - room:
        return f"Some values lie outside the figure; all lie between {short(min(low))} and {short(max(high))}."
    return ""


def write_ends(axes: Any, ends: Sequence[End]) -> None:
    """Write names at the ends of the lines, apart from each other, instead of a legend; and what the steps are."""
    bottom, top = axes.get_ylim()
    placed = sorted(
        (End(min(max(end.height, bottom), top), end.label, end.colour) for end in ends),
        key=lambda end: (end.height, end.label),
    )
    least = 0.09 * (top - bottom)
    heights: list[float] = []
    for end in placed:
        heights.append(max(end.height, heights[-1] + least) if heights else end.height)
    over = max(0.0, heights[-1] - top) if heights else 0.0
    for height, end in zip(heights, placed, strict=True):
        _write(axes, end.label, (1.0, height - over), ("axes fraction", "data"), (9, 0), "center", end.colour)
    _write(axes, "steps", (1.0, 0.0), "axes fraction", (20, -13.4), "baseline", TEXT)


def _write(
    axes: Any,
    words: str,
    at: tuple[float, float],
    coordinates: str | tuple[str, str],
    away: tuple[float, float],
    vertically: str,
    colour: str,
) -> None:
    axes.annotate(
        words,
        at,
        xycoords=coordinates,
        xytext=away,
        textcoords="offset points",
        va=vertically,
        color=colour,
        annotation_clip=False,
    )


def _bulk(low: Sequence[float], high: Sequence[float]) -> tuple[float, float]:
    """All values, unless a few of them stretch the range more than twentyfold."""
    lows, highs = sorted(low), sorted(high)
    cut = len(lows) // 50
    inner = (lows[cut], highs[-1 - cut])
    whole = (lows[0], highs[-1])
    if cut and inner[1] > inner[0] and whole[1] - whole[0] > 20 * (inner[1] - inner[0]):
        return inner
    return whole
