"""A plot over one axis as an inline SVG: its size, where its axes are, and how they look.

How a figure becomes SVG that stands in any page is known to `looks`. Knows no metric.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tiebreak.report.looks import GRID, TEXT, drawn_svg, plain_axes, short

WIDTH, HEIGHT = 420, 230
"""Points; on a page the drawing scales."""
BOX = (0.13, 0.115, 0.69, 0.83)
"""Left, bottom, width and height of the axes, as shares of the figure."""


def inline_svg(
    name: str, title: str, draw: Callable[[Any], None], *, box: tuple[float, float, float, float] = BOX
) -> str:
    """Draw one plot.

    Args:
        name: no other drawing of the page has it, so that ids differ; the same name and drawing give the same SVG.
        title: what a screen reader says of it.
        draw: draws into matplotlib's axes, which have their style.
        box: where the axes are, as `BOX`.
    Returns:
        An `<svg>` element.
    """

    def drawn(figure: Any) -> None:
        axes = figure.add_axes(box)
        _style(axes)
        draw(axes)

    return drawn_svg(drawn, title, size=(WIDTH, HEIGHT), salt=name)


def _style(axes: Any) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    plain_axes(axes, text=TEXT, grid=GRID)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: short(step)))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
