"""How the curves of a run look: as SVG that takes its colours and its font from the page it stands in, and as a PNG.

For SVG, matplotlib draws with marked colours; afterwards these become CSS variables with a fallback, so that one
drawing reads well on light and on dark. Nothing of matplotlib's global state stays changed. What is drawn stands in
`curves`.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiebreak.metrics import Plot
from tiebreak.report.curves import Line, Series, logged_lines, plots

_WIDTH, _HEIGHT = 420, 230  # points; on a page the drawing scales
_MARKED = {  # the colours that matplotlib writes, and what the page makes of them
    "#010203": "var(--curve-text, #808080)",
    "#010204": "var(--curve-grid, #80808055)",
    "#010205": "var(--curve-quiet, #808080)",
    "#010206": "var(--curve-accent, #12857c)",
    "#010207": "var(--curve-page, transparent)",
}
_TEXT, _GRID, _QUIET, _ACCENT, _PAGE = _MARKED
_LOOKS = {"accent": _ACCENT, "quiet": _QUIET}
_SETTINGS: dict[str, Any] = {"svg.fonttype": "none", "font.size": 12, "path.simplify": True, "axes.unicode_minus": True}
_MOST_DOTS = 40
# Descriptions of the file, a style that would reach the whole page, names of groups that repeat from figure to figure
# (ids of clips and markers are hashes and stay), marks of length zero, and turns by no angle.
_UNUSED = re.compile(
    r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->|<g/>"
    r'| id="[A-Za-z0-9.]+_\d+"| transform="rotate\(-?0 [^"]*"',
    re.DOTALL,
)

# The picture of a card, which is read on a light and on a dark page.
_COLOURS = {"accent": "#12857c", "quiet": "#8a8a8a"}
_INK, _LIGHT_GRID = "#333333", "#dddddd"


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
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # The salt makes ids differ between the figures of a page and stay the same between two drawings of one.
    settings: Any = {**_SETTINGS, "svg.hashsalt": f"tiebreak-{plot.name}"}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(_WIDTH / 72, _HEIGHT / 72))
        FigureCanvasSVG(figure)
        axes = figure.add_axes((0.13, 0.115, 0.69, 0.83))
        _style(axes)
        for line, series in found.items():
            _add(axes, line, series)
        outside = _limit(axes, plot, list(found.values()))
        if plot.level is not None:
            axes.axhline(plot.level[0], color=_GRID, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
        _label(axes, plot, found)
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    return _inline(written.getvalue(), plot.title), outside


def _style(axes: Any) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_GRID)
    axes.tick_params(colors=_TEXT, length=0, pad=5)
    axes.grid(axis="y", color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: _short(step)))
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
            steps, values, "o", color=colour, markersize=5.5, markeredgewidth=1, markeredgecolor=_PAGE, zorder=order + 1
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
    form = (lambda value, _: f"{100 * value:.4g}%") if plot.percent else (lambda value, _: _short(value))
    axes.yaxis.set_major_formatter(FuncFormatter(form))
    if max(high) > top + room or min(low) < bottom - room:
        return f"Some values lie outside the figure; all lie between {_short(min(low))} and {_short(max(high))}."
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
        (min(max(series.last[1], bottom), top), line.label, _ACCENT if line.look == "accent" else _TEXT)
        for line, series in found.items()
        if line.label and series.last
    ]
    if plot.level is not None and found:
        ends.append((plot.level[0], plot.level[1], _TEXT))
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
        color=_TEXT,
        annotation_clip=False,
    )


def _short(value: float) -> str:
    """A tick: 2k, 1.5M, 0.25, 1e-6."""
    size = abs(value)
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if unit <= size < 1e3 * unit:
            return f"{value / unit:.4g}{name}".replace("-", "−")
    if size and (size < 1e-3 or size >= 1e9):
        return re.sub(r"e([+-])0*", lambda sign: "e" + sign[1].strip("+"), f"{value:.3g}").replace("-", "−")
    return f"{value:.4g}".replace("-", "−")


def _inline(document: str, title: str) -> str:
    """The `<svg>` element alone, without what only a file of its own needs, coloured by the page."""
    svg = document[document.index("<svg") :]
    svg = _UNUSED.sub("", svg)
    svg = re.sub(
        r"<svg[^>]*>",
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}" stroke-linejoin="round">',
        svg,
        count=1,
    )
    for marked, colour in _MARKED.items():
        svg = svg.replace(marked, colour)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*|font-size: ([\d.]+px); font-family: [^;\"]*", _font, svg)
    return re.sub(r"\s*\n\s*", "\n", svg).strip()


def _font(found: re.Match[str]) -> str:
    return f"font: {found[1] or found[2]} var(--curve-font, sans-serif)"


def _picture(axes: Any, plot: Plot, lines: Mapping[Line, Series]) -> None:
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    for line, series in lines.items():
        marker = "o" if line.look == "accent" and len(series.steps) <= _MOST_DOTS else None
        axes.plot(series.steps, series.values, marker=marker, color=_COLOURS[line.look], label=line.label)
    if plot.level is not None:
        axes.axhline(plot.level[0], color=_LIGHT_GRID, linestyle="--", label=plot.level[1])
    if plot.percent:
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_title(plot.title, color=_INK)
    axes.set_xlabel("steps", color=_INK)
    axes.grid(axis="y", color=_LIGHT_GRID)
    axes.set_axisbelow(True)
    axes.spines["bottom"].set_color(_LIGHT_GRID)
    axes.tick_params(colors=_INK, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False, labelcolor=_INK)
