"""How the curves of a run look: as SVG for a page with what its script says at the pointer, and as a PNG.

What is drawn stands in `curves`, how a figure becomes part of a page in `inline_svg`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiebreak.metrics import HELD_OUT, Plot, metric_named
from tiebreak.report.axes import End, fit, write_ends
from tiebreak.report.curves import Line, Series, logged_lines, plots
from tiebreak.report.hover import Hover, HoverLine
from tiebreak.report.inline_svg import inline_svg
from tiebreak.report.looks import ACCENT, GRID, INK, LIGHT_GRID, ON_WHITE, PAGE, QUIET, TEXT, plain_axes

_LOOKS = {"accent": ACCENT, "quiet": QUIET}
_MOST_DOTS = 40


@dataclass(frozen=True)
class DrawnPlot:
    """A drawn plot.

    Attributes:
        name: no other one of a page has it.
        title, caption: plain text.
        svg: an inline SVG element; empty where no value is finite.
        hover: the values for the page's script; None where nothing is drawn over steps.
    """

    name: str
    title: str
    caption: str
    svg: str
    hover: Hover | None = None


def draw_plots(rows: Sequence[Mapping[str, Any]], *, best: int | None = None) -> list[DrawnPlot]:
    """Draw what a run logged.

    Args:
        rows: the rows of metrics.jsonl.
        best: the step whose weights were kept, which is marked where there are held-out values; None marks nothing.
    Returns:
        Each plot of which at least one value was logged. The same rows give the same SVG.
    """
    drawn = []
    for plot in plots():
        found = logged_lines(plot, rows)
        if any(series.last for series in found.values()):
            drawn.append(_drawn(plot, found, best))
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


def _drawn(plot: Plot, found: Mapping[Line, Series], best: int | None) -> DrawnPlot:
    """Draw one plot, of whose lines at least one has a finite value."""
    seen: dict[str, Any] = {}

    def draw(axes: Any) -> None:
        for line, series in found.items():
            _add(axes, line, series)
        seen["outside"] = fit(axes, plot, list(found.values()))
        if plot.level is not None:
            axes.axhline(plot.level[0], color=GRID, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
        seen["best"] = best is not None and _mark_best(axes, best, found)
        _label(axes, plot, found)
        seen["steps"], seen["values"] = axes.get_xlim(), axes.get_ylim()

    svg = inline_svg(plot.name, plot.title, draw)
    kept = f"The upright line is step {best:,}, whose weights were kept." if seen["best"] else ""
    notes = [plot.caption, kept, *(_lost(line, series) for line, series in found.items()), seen["outside"]]
    lines = tuple(HoverLine(_spoken(plot, line), _LOOKS[line.look], series) for line, series in found.items())
    hover = Hover(_ends(seen["steps"]), _ends(seen["values"]), plot.percent, lines)
    return DrawnPlot(plot.name, plot.title, " ".join(filter(None, notes)), svg, hover)


def _ends(found: tuple[Any, Any]) -> tuple[float, float]:
    return float(found[0]), float(found[1])


def _spoken(plot: Plot, line: Line) -> str:
    """What a line is called beside its value, where no line of the same name stands for it."""
    if not line.dots:
        return line.label or plot.title.lower()
    return f"{metric_named(line.metric).line}, held-out"


def _mark_best(axes: Any, best: int, found: Mapping[Line, Series]) -> bool:
    """Mark the step whose weights were kept; returns whether it was marked."""
    first, last = axes.get_xlim()
    if not first <= best <= last or not any(line.metric.startswith(HELD_OUT) for line in found):
        return False
    axes.axvline(best, color=TEXT, linewidth=1, linestyle=(0, (2, 2)), zorder=1.5)
    left = best > (first + last) / 2
    axes.annotate(
        "best",
        (best, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if left else 4, 1),
        textcoords="offset points",
        ha="right" if left else "left",
        va="bottom",
        color=TEXT,
        fontsize=10,
        annotation_clip=False,
    )
    return True


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
    held_out = line.dots or line.metric.startswith(HELD_OUT)
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


def _label(axes: Any, plot: Plot, found: Mapping[Line, Series]) -> None:
    ends = [
        End(series.last[1], line.label, ACCENT if line.look == "accent" else TEXT)
        for line, series in found.items()
        if line.label and series.last
    ]
    if plot.level is not None:
        ends.append(End(*plot.level))
    write_ends(axes, ends)


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
