"""The table of a run's steps as people see it: on a terminal, in blocks that fit its width, and in Markdown.

What is in it stands in `runs.steps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tiebreak.formatting.text import inline, table
from tiebreak.runs.steps import EPOCH, STEP, StepsTable

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = 12
"""Rows that are shown where the table is not what was asked for."""
_GAP = 2
_Block = tuple[list[str], list[list[str]]]


def rich_blocks(steps: StepsTable, width: int, *, most: int | None = SHOWN) -> list[Table]:
    """The table for a terminal.

    Args:
        steps: the table.
        width: of the terminal, in characters.
        most: rows at most; None is all.
    Returns:
        One table, or several below one another which all begin with step and epoch.
    """
    from rich.table import Table
    from rich.text import Text

    found = []
    for headings, rows in _blocks(steps, most, width):
        block = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        for heading in headings:
            block.add_column(Text(heading), justify="right", no_wrap=True)
        for row in rows:
            block.add_row(*map(Text, row))
        found.append(block)
    return found


def markdown_blocks(steps: StepsTable, *, most: int | None = SHOWN, width: int = 100) -> str:
    """The table in Markdown; arguments as for `rich_blocks`."""
    blocks = _blocks(steps, most, width)
    return "\n\n".join(table([inline(heading) for heading in headings], rows) for headings, rows in blocks)


def _blocks(steps: StepsTable, most: int | None, width: int) -> list[_Block]:
    """Columns put together as long as they fit."""
    rows = steps.written(most)
    columns = [[heading, *(row[i] for row in rows)] for i, heading in enumerate(steps.headings)]
    first = [column for column in columns if column[0] in (STEP, EPOCH)]
    blocks: list[list[list[str]]] = []
    for column in columns[len(first) :]:
        if not blocks or _width([*blocks[-1], column]) > width:
            blocks.append([*first])
        blocks[-1].append(column)
    return [([column[0] for column in block], _rows(block)) for block in blocks]


def _rows(block: Sequence[Sequence[str]]) -> list[list[str]]:
    return [list(row) for row in zip(*(column[1:] for column in block), strict=True)]


def _width(block: Sequence[Sequence[str]]) -> int:
    return sum(max(map(len, column)) + _GAP for column in block)
