"""A matplotlib figure as an inline SVG that takes its colours and its font from the page that it stands in.

matplotlib draws with marked colours; afterwards these become CSS variables with a fallback, so that one drawing reads
well on light, on dark and on paper. Nothing of matplotlib's global state stays changed. Knows no metric.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

WIDTH, HEIGHT = 420, 230
"""Points; on a page the drawing scales."""
BOX = (0.13, 0.115, 0.69, 0.83)
"""Left, bottom, width and height of the axes, as shares of the figure."""
RUNS = 8
"""How many runs have a colour of their own."""

_MARKED = {  # the colours that matplotlib writes, and what the page makes of them
    "#010203": "var(--curve-text, #808080)",
    "#010204": "var(--curve-grid, #80808055)",
    "#010205": "var(--curve-quiet, #808080)",
    "#010206": "var(--curve-accent, #12857c)",
    "#010207": "var(--curve-page, transparent)",
}
TEXT, GRID, QUIET, ACCENT, PAGE = _MARKED
RUN_COLOURS = tuple(f"#0102{0x10 + number:02x}" for number in range(RUNS))
"""Of the runs that are compared, in their order."""
_ALL_MARKED = {**_MARKED, **{colour: f"var(--run-{n}, #808080)" for n, colour in enumerate(RUN_COLOURS, start=1)}}
VARIABLES = {colour: shown[4:].partition(",")[0] for colour, shown in _ALL_MARKED.items()}
"""The CSS variable of each marked colour."""
_SETTINGS: dict[str, Any] = {"svg.fonttype": "none", "font.size": 12, "path.simplify": True, "axes.unicode_minus": True}
# Descriptions of the file, a style that would reach the whole page, names of groups that repeat from figure to figure
# (ids of clips and markers are hashes and stay), marks of length zero, and turns by no angle.
_UNUSED = re.compile(
    r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->|<g/>"
    r'| id="[A-Za-z0-9.]+_\d+"| transform="rotate\(-?0 [^"]*"',
    re.DOTALL,
)


def inline_svg(
    name: str, title: str, draw: Callable[[Any], None], *, box: tuple[float, float, float, float] = BOX
) -> str:
    """Draw one plot.

    Args:
        name: no other drawing of the page has it, so that ids differ; the same name and drawing give the same SVG.
        title: what a screen reader says of it, in fixed words.
        draw: draws into matplotlib's axes, which have their style.
        box: where the axes are, as `BOX`.
    Returns:
        An `<svg>` element.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    settings: Any = {**_SETTINGS, "svg.hashsalt": f"tiebreak-{name}"}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
        FigureCanvasSVG(figure)
        axes = figure.add_axes(box)
        _style(axes)
        draw(axes)
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    return _inline(written.getvalue(), title)


def short(value: float) -> str:
    """A tick: 2k, 1.5M, 0.25, 1e-6."""
    size = abs(value)
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if unit <= size < 1e3 * unit:
            return f"{value / unit:.4g}{name}".replace("-", "−")
    if size and (size < 1e-3 or size >= 1e9):
        return re.sub(r"e([+-])0*", lambda sign: "e" + sign[1].strip("+"), f"{value:.3g}").replace("-", "−")
    return f"{value:.4g}".replace("-", "−")


def _style(axes: Any) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(colors=TEXT, length=0, pad=5)
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: short(step)))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def _inline(document: str, title: str) -> str:
    """The `<svg>` element alone, without what only a file of its own needs, coloured by the page."""
    svg = document[document.index("<svg") :]
    svg = _UNUSED.sub("", svg)
    svg = re.sub(
        r"<svg[^>]*>",
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}" stroke-linejoin="round">',
        svg,
        count=1,
    )
    for marked, colour in _ALL_MARKED.items():
        svg = svg.replace(marked, colour)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*|font-size: ([\d.]+px); font-family: [^;\"]*", _font, svg)
    return re.sub(r"\s*\n\s*", "\n", svg).strip()


def _font(found: re.Match[str]) -> str:
    return f"font: {found[1] or found[2]} var(--curve-font, sans-serif)"
