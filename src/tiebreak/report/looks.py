"""How every figure looks: colours for light and dark, axes without a frame, and SVG that can stand in any page.

For SVG, matplotlib draws with marked colours; afterwards these become CSS variables with a fallback, so that one
drawing reads well on light and on dark. Nothing of matplotlib's global state stays changed. Knows nothing of what is
drawn.
"""

from __future__ import annotations

import html
import io
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_MARKED = {  # the colours that matplotlib writes, and what the page makes of them
    "#010203": "var(--curve-text, #808080)",
    "#010204": "var(--curve-grid, #80808055)",
    "#010205": "var(--curve-quiet, #808080)",
    "#010206": "var(--curve-accent, #12857c)",
    "#010207": "var(--curve-page, transparent)",
}
TEXT, GRID, QUIET, ACCENT, PAGE = _MARKED
"""Colours of a figure that becomes SVG."""
RUNS = 8
"""How many runs have a colour of their own."""
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

_DRAWING = threading.Lock()  # matplotlib keeps its settings for the whole process, and a server draws in threads

ON_WHITE = {"accent": "#12857c", "quiet": "#8a8a8a"}
INK, LIGHT_GRID = "#333333", "#dddddd"
"""Colours of a picture, which has a white ground of its own and so is read on a light and on a dark page."""


def drawn_svg(draw: Callable[[Any], None], title: str, *, size: tuple[int, int], salt: str) -> str:
    """A figure as an `<svg>` element that takes its colours and its font from the page.

    Args:
        draw: draws on the matplotlib figure that it is given, with the marked colours.
        title: says what is drawn to who cannot see it.
        size: width and height in points; on a page the drawing scales.
        salt: makes ids differ between the figures of a page and stay the same between two drawings of one.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    settings: Any = {**_SETTINGS, "svg.hashsalt": f"tiebreak-{salt}"}
    with _DRAWING, matplotlib.rc_context(settings):
        figure = Figure(figsize=(size[0] / 72, size[1] / 72))
        FigureCanvasSVG(figure)
        written = io.StringIO()
        with _any_letters():
            draw(figure)
            figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    return _inline(written.getvalue(), title, size)


def drawn_png(draw: Callable[[Any], None], *, size: tuple[int, int], dpi: int) -> bytes:
    """A figure as a PNG on white.

    Args:
        draw: draws on the matplotlib figure that it is given.
        size: width and height in points.
        dpi: pixels in 72 points.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(size[0] / 72, size[1] / 72), facecolor="white")
    FigureCanvasAgg(figure)
    written = io.BytesIO()
    with _any_letters():
        draw(figure)
        figure.savefig(written, format="png", dpi=dpi)
    return written.getvalue()


@contextmanager
def _any_letters() -> Iterator[None]:
    """Within the block nothing is said of letters that matplotlib's font lacks: names are in any script."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def plain_axes(axes: Any, *, text: str, grid: str) -> None:
    """Axes with a line below, lines across, and no marks.

    Args:
        axes: of matplotlib.
        text, grid: colours.
    """
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(grid)
    axes.tick_params(colors=text, length=0, pad=5)
    axes.grid(axis="y", color=grid, linewidth=0.7)
    axes.set_axisbelow(True)


def short(value: float) -> str:
    """A tick: 2k, 1.5M, 0.25, 1e-6."""
    size = abs(value)
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if unit <= size < 1e3 * unit:
            return f"{value / unit:.4g}{name}".replace("-", "−")
    if size and (size < 1e-3 or size >= 1e9):
        return re.sub(r"e([+-])0*", lambda sign: "e" + sign[1].strip("+"), f"{value:.3g}").replace("-", "−")
    return f"{value:.4g}".replace("-", "−")


def _inline(document: str, title: str, size: tuple[int, int]) -> str:
    """The `<svg>` element alone, without what only a file of its own needs, coloured by the page."""
    svg = document[document.index("<svg") :]
    svg = _UNUSED.sub("", svg)
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {size[0]} {size[1]}" role="img" aria-label="{html.escape(title)}" stroke-linejoin="round">'
    )
    svg = re.sub(r"<svg[^>]*>", lambda _: head, svg, count=1)  # as it stands: a title may have backslashes
    for marked, colour in _ALL_MARKED.items():
        svg = svg.replace(marked, colour)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*|font-size: ([\d.]+px); font-family: [^;\"]*", _font, svg)
    return re.sub(r"\s*\n\s*", "\n", svg).strip()


def _font(found: re.Match[str]) -> str:
    return f"font: {found[1] or found[2]} var(--curve-font, sans-serif)"
