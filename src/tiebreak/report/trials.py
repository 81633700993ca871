"""The trials of a search as pictures: the best so far, and each trial as a line over what was varied.

Knows numbers and names; which trial is best and what a key decides is worked out where the search is known.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tiebreak.formatting.text import one_line
from tiebreak.metrics import Better
from tiebreak.report.curves import Series
from tiebreak.report.drawing import DrawnPlot
from tiebreak.report.hover import Hover, HoverLine
from tiebreak.report.inline_svg import inline_svg
from tiebreak.report.looks import ACCENT, PAGE, QUIET, short

_WIDTH, _HEIGHT, _TOP, _SIDE = 760, 300, 34, 70
_MOST = 400  # lines; more hide each other
_NAME = 24  # characters


@dataclass(frozen=True)
class Drawn:
    """A trial as it is drawn.

    Attributes:
        number: of the trial.
        value: of the goal, finite.
        at: where it stands on each axis, from 0 to 1; the last axis is the goal, and 1 is best there.
        said: its values in words, for the pointer.
        best: whether it is the best one.
    """

    number: int
    value: float
    at: tuple[float, ...]
    said: str
    best: bool


def draw_history(trials: Sequence[Drawn], goal: str, better: Better) -> DrawnPlot | None:
    """The goal of each trial, and the best until then.

    Args:
        trials: that have a result, in their order.
        goal: its name.
        better: which way is better.
    """
    if not trials:
        return None
    numbers = tuple(float(trial.number) for trial in trials)
    values = tuple(trial.value for trial in trials)
    pick = min if better == "lower" else max
    until = tuple(pick(values[: i + 1]) for i in range(len(values)))
    seen: dict[str, Any] = {}

    def draw(axes: Any) -> None:
        from matplotlib.ticker import FuncFormatter

        axes.step(numbers, until, where="post", color=ACCENT, linewidth=1.8, zorder=2)
        axes.plot(numbers, values, "o", color=QUIET, markersize=5, markeredgewidth=0.8, markeredgecolor=PAGE, zorder=3)
        room = 0.06 * (max(values) - min(values)) or 0.1 * abs(values[0]) or 1.0
        axes.set_ylim(min(values) - room, max(values) + room)
        axes.set_xlim(numbers[0] - 0.5, numbers[-1] + 0.5)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
        seen["steps"], seen["values"] = (tuple(map(float, limits)) for limits in (axes.get_xlim(), axes.get_ylim()))

    svg = inline_svg("history", f"{goal} of each trial", draw)
    lines = (
        HoverLine("this trial", QUIET, Series(numbers, values, values, values)),
        HoverLine("best so far", ACCENT, Series(numbers, until, until, until)),
    )
    hover = Hover(seen["steps"], seen["values"], False, lines, unit="trial")
    caption = f"A dot is a trial; the line is the best so far. {better.capitalize()} is better."
    return DrawnPlot("history", f"{goal}, trial by trial", caption, svg, hover)


def parallel_svg(trials: Sequence[Drawn], axes: Sequence[tuple[str, str, str]]) -> str:
    """Each trial as a line over all that was varied, to its result at the right.

    Args:
        trials: that have a result; of more than can be told apart the best ones.
        axes: name, lower and upper end of each axis in words; the last is the goal, with its best end above.
    Returns:
        An `<svg>` element that takes its colours from the page; a browser says of each line which trial it is.
    """
    across = [_SIDE + i * (_WIDTH - 2 * _SIDE) / max(1, len(axes) - 1) for i in range(len(axes))]
    below = _HEIGHT - _TOP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        'aria-label="Each trial as a line over what was varied, to its result" stroke-linejoin="round" '
        'style="width: 100%; max-width: none">'
    ]
    font = 'style="font: 12px var(--curve-font, sans-serif); fill: var(--curve-text, #808080)" text-anchor="middle"'
    for x, (name, low, high) in zip(across, axes, strict=True):
        parts.append(f'<path d="M{x:.1f} {_TOP}V{below}" style="stroke: var(--curve-grid, #80808055)"/>')
        for y, words in ((12, name), (_TOP - 6, high), (below + 16, low)):
            parts.append(f'<text x="{x:.1f}" y="{y}" {font}>{html.escape(_short(words))}</text>')
    ordered = sorted(trials, key=lambda trial: (trial.best, trial.at[-1]))[-_MOST:]  # the better ones over the others
    for trial in ordered:
        points = " ".join(f"{x:.1f},{below - at * (below - _TOP):.1f}" for x, at in zip(across, trial.at, strict=True))
        colour = "var(--curve-accent, #12857c)" if trial.best else "var(--curve-quiet, #808080)"
        width, opacity = (2.6, 1.0) if trial.best else (1.3, 0.25 + 0.6 * min(1.0, max(0.0, trial.at[-1])))
        parts.append(
            f'<polyline points="{points}" fill="none" style="stroke: {colour}; stroke-width: {width}; '
            f'stroke-opacity: {opacity:.2f}"><title>{html.escape(one_line(trial.said, 400))}</title></polyline>'
        )
    return "".join([*parts, "</svg>"])


def on_axis(value: float, low: float, high: float) -> float:
    """Where a value stands between two, from 0 to 1; in the middle where they are one."""
    return 0.5 if not math.isfinite(value) or high == low else (value - low) / (high - low)


def _short(name: str) -> str:
    shown = one_line(name)
    return shown if len(shown) <= _NAME else f"…{shown[-_NAME + 1 :]}"
