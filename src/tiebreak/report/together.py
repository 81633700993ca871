"""The curves of several runs over one another: a plot a metric, a line a run.

Held-out values where any run has them, since they compare runs better than those of training; the loss of training
besides. Each run has its number and colour in every plot; how many have one is known to `inline_svg`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tiebreak.metrics import HELD_OUT, LOSS, METRICS, Metric, Plot
from tiebreak.report.axes import End, fit, write_ends
from tiebreak.report.curves import Series, series_of
from tiebreak.report.drawing import DrawnPlot
from tiebreak.report.hover import Hover, HoverLine
from tiebreak.report.inline_svg import inline_svg
from tiebreak.report.looks import GRID, PAGE, RUN_COLOURS, RUNS

_SOLID = 4  # runs whose lines are solid; colours alone would not tell eight apart for everybody
_DASHES = (0, (5, 2))
_MOST_DOTS = 40


def draw_together(logged: Sequence[Sequence[Mapping[str, Any]]], names: Sequence[str]) -> list[DrawnPlot]:
    """Draw what several runs logged.

    Args:
        logged: the rows of metrics.jsonl of each run, of `inline_svg.RUNS` runs at most.
        names: of the runs; they are only ever shown as text.
    Returns:
        Each metric that is drawn and of which at least one run logged a finite value.
    """
    if len(logged) > RUNS:
        raise ValueError(f"{len(logged)} runs are more than {RUNS}")
    drawn = []
    for metric in METRICS:
        if metric.plot is None:
            continue
        training, held_out = ([series_of(rows, name) for rows in logged] for name in _names(metric))
        if any(series.last for series in held_out):
            drawn.append(_drawn(metric, held_out, names, held_out=True))
        if any(series.last for series in training) and (metric is LOSS or not any(s.last for s in held_out)):
            drawn.append(_drawn(metric, training, names, held_out=False))
    return drawn


def _names(metric: Metric) -> tuple[str, str]:
    return metric.name, HELD_OUT + metric.name


def _drawn(metric: Metric, found: Sequence[Series], names: Sequence[str], *, held_out: bool) -> DrawnPlot:
    """Draw one metric, which at least one run has."""
    assert metric.plot is not None
    plot = _titled(metric, metric.plot, held_out=held_out)
    lines = [(number, series) for number, series in enumerate(found) if series.last]
    seen: dict[str, Any] = {}

    def draw(axes: Any) -> None:
        for number, series in lines:
            _add(axes, number, series)
        seen["outside"] = fit(axes, plot, [series for _, series in lines])
        if plot.level is not None:
            axes.axhline(plot.level[0], color=GRID, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
        ends = [End(series.last[1], str(number + 1), RUN_COLOURS[number]) for number, series in lines if series.last]
        write_ends(axes, ends if plot.level is None else [*ends, End(*plot.level)])
        seen["steps"], seen["values"] = (tuple(map(float, limits)) for limits in (axes.get_xlim(), axes.get_ylim()))

    svg = inline_svg(plot.name, plot.title, draw)
    hovered = tuple(HoverLine(f"{n + 1} {names[n]}", RUN_COLOURS[n], series) for n, series in lines)
    hover = Hover(seen["steps"], seen["values"], plot.percent, hovered)
    return DrawnPlot(plot.name, plot.title, " ".join(filter(None, (metric.meaning, seen["outside"]))), svg, hover)


def _titled(metric: Metric, plot: Plot, *, held_out: bool) -> Plot:
    side = "held-out" if held_out else "training"
    title = f"{plot.title}, {metric.line}" if metric.line else plot.title
    return replace(plot, name=f"{side}-{metric.name.replace('/', '-')}", title=f"{title}, {side}")


def _add(axes: Any, number: int, series: Series) -> None:
    """A line that is the mean where it was thinned: eight bands over one another would hide all."""
    colour, style = RUN_COLOURS[number], "-" if number < _SOLID else _DASHES
    axes.plot(series.steps, series.values, color=colour, linewidth=1.6, linestyle=style, zorder=3)
    if len(series.steps) <= _MOST_DOTS:
        axes.plot(
            series.steps, series.values, "o", color=colour, markersize=4, markeredgewidth=0.8, markeredgecolor=PAGE
        )
