"""The curves of a run as one picture for its card, readable on a light and on a dark page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tiebreak.report.curves import PLOTS, Plot
from tiebreak.report.series import Series, series_of

_SHOWN = ("loss", "accuracy", "margin")
_COLOURS = {"accent": "#12857c", "quiet": "#8a8a8a"}
_INK, _GRID = "#333333", "#dddddd"
_MOST_DOTS = 40


def write_picture(rows: Sequence[Mapping[str, Any]], path: Path) -> bool:
    """Draw loss, accuracy and margin side by side, as far as they were logged.

    Args:
        rows: of metrics.jsonl.
        path: the PNG file; the same rows give the same bytes.
    Returns:
        Whether there was anything to draw.
    """
    found = {plot: lines for plot in PLOTS if plot.name in _SHOWN and (lines := _drawable(plot, rows))}
    if not found:
        return False
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(found), 2.9), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    for place, (plot, lines) in enumerate(found.items(), start=1):
        _draw(figure.add_subplot(1, len(found), place), plot, lines)
    figure.savefig(path, format="png", dpi=120)
    return True


def _drawable(plot: Plot, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, Series]]:
    found = [(line, series_of(rows, line.metric)) for line in plot.lines]
    return [(line, series) for line, series in found if series.last]


def _draw(axes: Any, plot: Plot, lines: Sequence[tuple[Any, Series]]) -> None:
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    for line, series in lines:
        marker = "o" if line.look == "accent" and len(series.steps) <= _MOST_DOTS else None
        axes.plot(series.steps, series.values, marker=marker, color=_COLOURS[line.look], label=line.label)
    if plot.level is not None:
        axes.axhline(plot.level[0], color=_GRID, linestyle="--", label=plot.level[1])
    if plot.percent:
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_title(plot.title, color=_INK)
    axes.set_xlabel("steps", color=_INK)
    axes.grid(axis="y", color=_GRID)
    axes.set_axisbelow(True)
    axes.spines["bottom"].set_color(_GRID)
    axes.tick_params(colors=_INK, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False, labelcolor=_INK)
