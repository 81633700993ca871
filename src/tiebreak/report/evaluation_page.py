"""An evaluation as one HTML file that needs no network: sections of tables, pictures and examples, in their order.

Knows how a section looks and nothing of what was measured: whoever measured something makes sections of it. Texts may
be anybody's: they are made visible and escaped. The only script sorts tables; the page's policy lets no other run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tiebreak.formatting.numbers import when
from tiebreak.formatting.text import shortened
from tiebreak.report import page_file
from tiebreak.report.environment import environment, markup, template_file
from tiebreak.report.script import policy

Tone = Literal["", "better", "worse"]

TEXT_LIMIT = 1_500
"""Characters of a text that are shown."""
_CODE_LIMIT = 20_000
_MOST_TURNS = 6


@dataclass(frozen=True)
class Interval:
    """A figure with the ends of its interval, to be drawn."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Scale:
    """What drawn intervals of a table share.

    Attributes:
        low, high: the ends.
        mark: where a line stands: chance, or no difference.
        labels: what is written at the low end, at the mark and at the high end.
    """

    low: float
    high: float
    mark: float
    labels: tuple[str, str, str]


SHARES = Scale(0, 1, 0.5, ("0%", "50%", "100%"))


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        label: what it is of.
        cells: as they are written.
        interval: drawn beside them, where the table has a scale.
        tone: of the last cell.
        sort: what the cells are sorted by, where that is not what they say; None is nothing to sort by.
    """

    label: str
    cells: tuple[str, ...]
    interval: Interval | None = None
    tone: Tone = ""
    sort: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Table:
    """Rows under headings.

    Attributes:
        headings: of the labels, then of the cells.
        rows: each with one cell less than there are headings.
        title, note: before the table; empty is none.
        scale: of drawn intervals; None draws none.
        sortable: whether readers may sort it.
    """

    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    title: str = ""
    note: str = ""
    scale: Scale | None = None
    sortable: bool = False


@dataclass(frozen=True)
class Picture:
    """A drawing of Tiebreak's own: an inline SVG element, in which what others wrote is escaped."""

    title: str
    svg: str
    caption: str = ""


@dataclass(frozen=True)
class Side:
    """One text of an example, and what is said of it."""

    title: str
    text: str
    marks: tuple[tuple[str, Tone], ...] = ()


@dataclass(frozen=True)
class Example:
    """Texts beside each other under the conversation that they answer.

    Attributes:
        title: in a few words; what is seen while it is folded.
        turns: speaker and text of each turn of the conversation.
        sides: one text or several.
        note: what else is to be said of it.
    """

    title: str
    turns: tuple[tuple[str, str], ...]
    sides: tuple[Side, ...]
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page. Whatever it has none of is not shown.

    Attributes:
        title: of the section.
        note: a sentence before all else.
        tables, pictures, facts, examples, code: in this order; of a fact name and value, of code title and text.
    """

    title: str
    note: str = ""
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    examples: tuple[Example, ...] = ()
    code: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class EvaluationPage:
    """Everything on the page.

    Attributes:
        title: what was evaluated.
        created: when, as an ISO time.
        asked: what was asked, one paragraph.
        found: what came out, a sentence each.
        sections: in their order.
    """

    title: str
    created: str
    asked: str
    found: tuple[str, ...]
    sections: tuple[Section, ...]


def around_zero(intervals: Iterable[Interval | None], written: Callable[[float], str]) -> Scale | None:
    """A scale for differences, as wide to both sides as the widest interval; None where there is nothing to draw.

    Args:
        intervals: that are drawn on it.
        written: how a difference is written, for the ends of the scale.
    """
    ends = [abs(end) for each in intervals if each is not None for end in (each.low, each.high) if math.isfinite(end)]
    widest = max(ends, default=0.0)
    return None if widest == 0 else Scale(-widest, widest, 0, (written(-widest), "0", written(widest)))


def render(page: EvaluationPage) -> str:
    """The page as HTML; the same page gives the same text.

    Args:
        page: what is shown.
    """
    script = template_file("sort.js")
    return (
        environment()
        .get_template("evaluation.html")
        .render(
            page=page,
            created=when(page.created),
            css=template_file("page.css"),
            own_css=template_file("evaluation.css"),
            script=script,
            policy=policy(script),
            draw=lambda interval, scale: markup(draw(interval, scale)),
            drawing=lambda picture: markup(picture.svg),
            text=lambda words: shortened(words, TEXT_LIMIT),
            code=lambda words: shortened(words, _CODE_LIMIT),
            most_turns=_MOST_TURNS,
        )
    )


def draw(interval: Interval, scale: Scale) -> str:
    """An interval as an inline SVG element: a line from end to end, a dot at the figure, the scale's mark behind both.

    Args:
        interval: ends outside the scale are drawn at its edge; what is not finite is not drawn.
        scale: of the table.
    """

    def place(value: float) -> str:
        share = (value - scale.low) / (scale.high - scale.low)
        return f"{100 * min(1.0, max(0.0, share)):.2f}%"

    parts = [f'<line class="chance" x1="{place(scale.mark)}" y1="0" x2="{place(scale.mark)}" y2="100%"/>']
    if math.isfinite(interval.low) and math.isfinite(interval.high):
        low, high = place(interval.low), place(interval.high)
        parts.append(f'<line class="range" x1="{low}" y1="50%" x2="{high}" y2="50%"/>')
    if math.isfinite(interval.value):
        parts.append(f'<circle class="dot" cx="{place(interval.value)}" cy="50%" r="4.5"/>')
    return f'<svg class="interval" aria-hidden="true">{"".join(parts)}</svg>'


def write_page(page: EvaluationPage, path: Path, *, force: bool = False) -> None:
    """Write a page; the file is there whole or not at all.

    Args:
        page: what is shown.
        path: ends in .html.
        force: replace a file that exists.
    Raises:
        InputError: the file is refused (see `page_file`).
        RunError: the disk does not take it.
    """
    page_file.check_page(path, force=force)
    page_file.write_page(path, render(page))
