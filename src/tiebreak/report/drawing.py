"""How the curves of a run look: as SVG that takes its colours and its font from the page it stands in, and as a PNG.

What is drawn stands in `curves`, how any figure looks in `looks`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiebreak.metrics import Plot
from tiebreak.report.curves import Line, Series, logged_lines, plots
from tiebreak.report.looks import (
    ACCENT,
    GRID,
    INK,
    LIGHT_GRID,
    ON_WHITE,
    PAGE,
    QUIET,
    TEXT,
    drawn_svg,
    plain_axes,
    short,
)

_WIDTH, _HEIGHT = 420, 230  # points; on a page the drawing scales
_LOOKS = {"accent": ACCENT, "quiet": QUIET}
_MOST_DOTS = 40


@dataclass(frozen=True)
class DrawnPlot:
    """A drawn plot: an inline SVG element, its title and its caption, both plain text."""

    name: str
    title: str
    caption: str
    svg: str


def draw_plots(rows: Sequence[Mapping[str, Any]]) -> list[DrawnPlot]:
    """Draw what a run logged.

    Args:
        rows: the rows of metrics.jsonl.
    Returns:
        Each plot of which at least one value was logged. The same rows give the same SVG.
    """
    drawn = []
    for plot in plots():
        found = logged_lines(plot, rows)
        if any(series.last for series in found.values()):
            svg, outside = _draw(plot, found)
            notes = [plot.caption, *(_lost(line, series) for line, series in found.items()), outside]
            drawn.append(DrawnPlot(plot.name, plot.title, " ".join(filter(None, notes)), svg))
        elif found:
            notes = [_lost(line, series) for line, series in found.items()]
            drawn.append(DrawnPlot(plot.name, plot.title, " ".join(notes), ""))
    return drawn


def write_picture(rows: Sequence[Mapping[str, Any]], path: Path) -> bool:
    """Draw loss, accuracy and margin side by side as one PNG, as far as they were logged.

    Args:
        rows: the rows of metrics.jsonl.
        path: the PNG file; the same rows give the same bytes.
    Returns:
        Whether there was anything to draw.
    """
    logged = {plot: logged_lines(plot, rows) for plot in plots() if plot.pictured}
    finite = {plot: {line: series for line, series in lines.items() if series.last} for plot, lines in logged.items()}
    found = {plot: lines for plot, lines in finite.items() if lines}
    if not found:
        return False
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(found), 2.9), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    for position, (plot, lines) in enumerate(found.items(), start=1):
        _picture(figure.add_subplot(1, len(found), position), plot, lines)
    figure.savefig(path, format="png", dpi=120)
    return True


def _lost(line: Line, series: Series) -> str:
    if not series.lost or series.first_lost is None:
        return ""
    of = f"{line.label} " if line.label else ""
    count = "One value" if series.lost == 1 else f"{series.lost:,} values"
    return f"{count} of {of}{line.metric} not finite, first at step {series.first_lost:,.0f}."


def _draw(plot: Plot, found: Mapping[Line, Series]) -> tuple[str, str]:
    """Draw one plot.

    Args:
        plot: what is drawn.
        found: the lines that have points.
    Returns:
        An `<svg>` element, and a sentence on values that lie outside the axis (empty where all are inside).
    """
    outside = ""

    def draw(figure: Any) -> None:
        nonlocal outside
        axes = figure.add_axes((0.13, 0.115, 0.69, 0.83))
        _style(axes)
        for line, series in found.items():
            _add(axes, line, series)
        outside = _limit(axes, plot, list(found.values()))
        if plot.level is not None:
            axes.axhline(plot.level[0], color=GRID, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
        _label(axes, plot, found)

    svg = drawn_svg(draw, plot.title, size=(_WIDTH, _HEIGHT), salt=plot.name)
    return svg, outside


def _style(axes: Any) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    plain_axes(axes, text=TEXT, grid=GRID)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: short(step)))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def _add(axes: Any, line: Line, series: Series) -> None:
    colour = _LOOKS[line.look]
    order = 3 if line.look == "accent" else 2
    if series.is_thinned and not line.dots:
        axes.fill_between(
            series.steps, series.low, series.high, color=colour, alpha=0.16, linewidth=0, zorder=order - 1
        )
    if not line.dots:
        axes.plot(series.steps, series.values, color=colour, linewidth=1.8, solid_joinstyle="round", zorder=order)
    few = sum(map(math.isfinite, series.values)) <= _MOST_DOTS
    held_out = line.dots or line.metric.startswith("eval_")
    shown = list(range(len(series.steps))) if held_out and few else _alone(series.values)
    if line.dots and not few:  # held-out values of a long run, as a dotted line
        axes.plot(series.steps, series.values, color=colour, linewidth=1.4, linestyle=(0, (1, 2)), zorder=order)
    if shown:
        steps, values = [series.steps[i] for i in shown], [series.values[i] for i in shown]
        axes.plot(
            steps, values, "o", color=colour, markersize=5.5, markeredgewidth=1, markeredgecolor=PAGE, zorder=order + 1
        )


def _alone(values: Sequence[float]) -> list[int]:
    """Points without a finite neighbour, which a line would not show."""
    finite = [False, *map(math.isfinite, values), False]
    return [i for i in range(len(values)) if finite[i + 1] and not finite[i] and not finite[i + 2]]


def _limit(axes: Any, plot: Plot, all_series: Sequence[Series]) -> str:
    """Fit the axis to the bulk of the values, so that one spike does not flatten everything else."""
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


def _bulk(low: Sequence[float], high: Sequence[float]) -> tuple[float, float]:
    """All values, unless a few of them stretch the range more than twentyfold."""
    lows, highs = sorted(low), sorted(high)
    cut = len(lows) // 50
    inner = (lows[cut], highs[-1 - cut])
    whole = (lows[0], highs[-1])
    if cut and inner[1] > inner[0] and whole[1] - whole[0] > 20 * (inner[1] - inner[0]):
        return inner
    return whole


def _label(axes: Any, plot: Plot, found: Mapping[Line, Series]) -> None:
    """Write names at the ends of the lines, apart from each other, instead of a legend."""
    bottom, top = axes.get_ylim()
    ends = [
        (min(max(series.last[1], bottom), top), line.label, ACCENT if line.look == "accent" else TEXT)
        for line, series in found.items()
        if line.label and series.last
    ]
    if plot.level is not None and found:
        ends.append((plot.level[0], plot.level[1], TEXT))
    least = 0.09 * (top - bottom)
    heights: list[float] = []
    for end, _, _ in sorted(ends):
        heights.append(max(end, heights[-1] + least) if heights else end)
    over = max(0.0, heights[-1] - top) if heights else 0.0
    for height, (_, label, colour) in zip(heights, sorted(ends), strict=True):
        axes.annotate(
            label,
            (1.0, height - over),
            xycoords=("axes fraction", "data"),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            annotation_clip=False,
        )
    axes.annotate(
        "steps",
        (1.0, 0.0),
        xycoords="axes fraction",
        xytext=(20, -13.4),
        textcoords="offset points",
        va="baseline",
        color=TEXT,
        annotation_clip=False,
    )


def _picture(axes: Any, plot: Plot, lines: Mapping[Line, Series]) -> None:
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    for line, series in lines.items():
        marker = "o" if line.look == "accent" and len(series.steps) <= _MOST_DOTS else None
        axes.plot(series.steps, series.values, marker=marker, color=ON_WHITE[line.look], label=line.label)
    if plot.level is not None:
        axes.axhline(plot.level[0], color=LIGHT_GRID, linestyle="--", label=plot.level[1])
    if plot.percent:
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_title(plot.title, color=INK)
    axes.set_xlabel("steps", color=INK)
    plain_axes(axes, text=INK, grid=LIGHT_GRID)
    axes.legend(frameon=False, labelcolor=INK)
