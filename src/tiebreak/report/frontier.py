"""Reward against KL: models as points, by how often their answers win and how far they have moved from their reference.

The picture of the DPO paper (Rafailov et al. 2023, figure 2). Up and to the left is better: more reward for less KL.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiebreak.errors import InputError
from tiebreak.evaluate.bootstrap import Estimate
from tiebreak.files import write_bytes, write_text
from tiebreak.formatting.text import one_line
from tiebreak.report.looks import (
    ACCENT,
    GRID,
    INK,
    LIGHT_GRID,
    ON_WHITE,
    PAGE,
    TEXT,
    drawn_png,
    drawn_svg,
    plain_axes,
    short,
)
from tiebreak.runs.sheet import check_new_file

PICTURES = (".png", ".svg")
_SIZE = (480, 320)  # points
_EVEN = 0.5
_LABEL = 28  # characters
_LETTER, _LINE, _GAP = 6.4, 14.0, 7.0  # points: the width of a letter, the height of a line, from a point to its label


@dataclass(frozen=True)
class FrontierPoint:
    """A model in the picture.

    Attributes:
        name: written beside the point.
        kl: from the common reference, in nats, with its 95% interval.
        win_rate: against the common opponent, as a share, with its 95% interval.
    """

    name: str
    kl: Estimate
    win_rate: Estimate


def frontier_svg(points: Sequence[FrontierPoint], *, reference: str = "", against: str = "") -> str:
    """The picture as an `<svg>` element for a page, which gives it colours and font.

    Args:
        points: at least one, all finite.
        reference: what KL is measured from, for the axis.
        against: whose answers they win against, for the axis.
    Returns:
        The same for the same points.
    """
    title = "Win rate against KL"
    return drawn_svg(
        lambda figure: _draw(figure, points, (reference, against), (TEXT, GRID, ACCENT, PAGE)),
        title,
        size=_SIZE,
        salt="frontier",
    )


def write_frontier(
    points: Sequence[FrontierPoint], path: Path | str, *, reference: str = "", against: str = "", force: bool = False
) -> None:
    """Write the picture; the file is there whole or not at all.

    Args:
        points, reference, against: as for `frontier_svg`.
        path: ends in `.png` or `.svg`.
        force: replace a file that exists.
    Raises:
        InputError: the file is refused (see `check_picture`).
    """
    path = Path(path)
    check_picture(path, force=force)
    if path.suffix.lower() == ".svg":
        write_text(path, frontier_svg(points, reference=reference, against=against) + "\n")
        return
    colours = (INK, LIGHT_GRID, ON_WHITE["accent"], "white")
    png = drawn_png(lambda figure: _draw(figure, points, (reference, against), colours), size=_SIZE, dpi=144)
    write_bytes(path, png)


def check_picture(path: Path, *, force: bool = False, where: str = "path") -> None:
    """Refuse a file before any work is done.

    Args:
        path: of the picture.
        force: a file that exists may be replaced.
        where: the flag that names it.
    Raises:
        InputError: its suffix is none that is written, it exists, or its folder does not.
    """
    if path.suffix.lower() not in PICTURES:
        raise InputError(f"'{path}' is no picture.", where=where, fix=f"write {' or '.join(PICTURES)}")
    check_new_file(path, force=force, where=where)


def _draw(
    figure: Any, points: Sequence[FrontierPoint], names: tuple[str, str], colours: tuple[str, str, str, str]
) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    text, grid, accent, page = colours
    reference, against = map(_short_name, names)
    axes = figure.add_axes((0.12, 0.15, 0.84, 0.79))
    plain_axes(axes, text=text, grid=grid)
    axes.axhline(_EVEN, color=text, linewidth=0.9, linestyle=(0, (4, 3)), alpha=0.6, zorder=1)
    for point in points:
        _mark(axes, point, accent, page)
    _limit(axes, points)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}%"))
    said = {"color": text, "parse_math": False}
    axes.set_xlabel(f"KL from {reference or 'the reference'}, nats", **said)
    axes.set_title(f"win rate against {against or 'the other model'}", loc="left", fontsize="medium", **said)
    for point, (at, align) in zip(points, _places(axes, points), strict=True):
        axes.annotate(
            _short_name(point.name),
            (point.kl.value, point.win_rate.value),
            xytext=at,
            textcoords="offset points",
            ha=align,
            va="center",
            annotation_clip=False,
            **said,
        )


def _short_name(name: str) -> str:
    shown = one_line(name)
    return shown if len(shown) <= _LABEL else f"{shown[: _LABEL - 1]}…"


def _mark(axes: Any, point: FrontierPoint, accent: str, page: str) -> None:
    x, y = point.kl, point.win_rate
    axes.plot([x.low, x.high], [y.value, y.value], color=accent, linewidth=1.4, alpha=0.55, zorder=2)
    axes.plot([x.value, x.value], [y.low, y.high], color=accent, linewidth=1.4, alpha=0.55, zorder=2)
    axes.plot(x.value, y.value, "o", color=accent, markersize=6.5, markeredgewidth=1, markeredgecolor=page, zorder=3)


def _limit(axes: Any, points: Sequence[FrontierPoint]) -> None:
    """From no KL on, with the line of even; KL that came out below zero is shown where it lies."""
    right, left = max(point.kl.high for point in points), min(0.0, *(point.kl.low for point in points))
    low = min(_EVEN, *(point.win_rate.low for point in points))
    high = max(_EVEN, *(point.win_rate.high for point in points))
    across, up = (right - left) or 1.0, (high - low) or 0.1
    axes.set_xlim(left - 0.02 * across, right + 0.06 * across)
    axes.set_ylim(max(-0.02, low - 0.08 * up), min(1.02, high + 0.08 * up))


def _places(axes: Any, points: Sequence[FrontierPoint]) -> Iterator[tuple[tuple[float, float], str]]:
    """Where each name stands from its point, in points, and how it is aligned: within the axes, and on nothing else."""
    width, height = 0.84 * _SIZE[0], 0.79 * _SIZE[1]
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    spots = [
        (
            width * (point.kl.value - left) / (right - left),
            height * (point.win_rate.value - bottom) / (top - bottom),
        )
        for point in points
    ]
    taken = [(x - _GAP / 2, x + _GAP / 2, y - _GAP / 2, y + _GAP / 2) for x, y in spots]
    for point, (x, y) in zip(points, spots, strict=True):
        long = _LETTER * len(_short_name(point.name))
        best: tuple[float, tuple[float, float], str, tuple[float, float, float, float]] | None = None
        for up in (1, -1, 2, -2):
            for side, align in ((1, "left"), (-1, "right")):
                dx, dy = side * _GAP, up * (_LINE / 2 + 3)
                start = x + dx if side > 0 else x + dx - long
                box = (start, start + long, y + dy - _LINE / 2, y + dy + _LINE / 2)
                out = max(0.0, -box[0]) + max(0.0, box[1] - width) + max(0.0, -box[2]) + max(0.0, box[3] - height)
                cost = out + sum(_overlap(box, other) for other in taken)
                if best is None or cost < best[0]:
                    best = (cost, (dx, dy), align, box)
        assert best is not None  # there are places to choose from
        taken.append(best[3])
        yield best[1], best[2]


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """How much of each other two boxes cover: the smaller side of what they share, in points."""
    across, up = min(one[1], other[1]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[2], other[2])
    return max(0.0, min(across, up))


def is_finite(point: FrontierPoint) -> bool:
    """Whether a point can be drawn."""
    return all(
        math.isfinite(each) for found in (point.kl, point.win_rate) for each in (found.value, found.low, found.high)
    )
