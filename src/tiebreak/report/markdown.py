"""Text that others wrote, made harmless inside Markdown: in a line, in a table cell, in a fenced block."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tiebreak.report.text import one_line, shortened, visible

_SPECIAL = re.compile(r"([\\`*_\[\]|<>~$&@])")
_FENCE = re.compile(r"`{3,}")


def inline(text: str, limit: int = 160) -> str:
    """One line in which nothing is markup: no emphasis, link, image, HTML or table border."""
    return _SPECIAL.sub(r"\\\1", one_line(text, limit)).replace("://", ":\\//")


def fenced(text: str, language: str = "", limit: int = 4000) -> str:
    """A code block whose fence is longer than any in the text."""
    shown = shortened(visible(text), limit)
    fence = "`" * (max((len(found[0]) for found in _FENCE.finditer(shown)), default=2) + 1)
    return f"{fence}{language}\n{shown.rstrip()}\n{fence}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; cells are taken as they are, so quote what others wrote with `inline` first."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
