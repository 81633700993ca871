"""HTML of the pages, written so that whatever comes from models and people stays text.

Every text passes `escaped` on its way into a page; nothing else may put one there.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

from tiebreak.report.text import one_line, visible

# Shown where texts stand in a row.
_NAME = 80


def escaped(text: str) -> str:
    """A text as HTML that shows it letter by letter, control characters made visible."""
    return html.escape(visible(text), quote=True)


def escaped_line(text: str, limit: int = _NAME) -> str:
    """A name or a reason on one line, shortened."""
    return html.escape(one_line(text, limit), quote=True)


def said(text: str) -> str:
    """A text as it was said: line ends and spaces stay, and its direction follows its first letters."""
    return f'<div class="tb-said" dir="auto">{escaped(text)}</div>'


def notice(text: str, tone: str = "plain") -> str:
    """A sentence to the user; empty where there is none.

    Args:
        text: plain text.
        tone: `plain`, `good` or `bad`.
    """
    role = "alert" if tone == "bad" else "status"
    return f'<p class="tb-notice tb-{tone}" role="{role}">{escaped(text)}</p>' if text else ""


def tag(text: str, tone: str = "") -> str:
    """A small label."""
    return f'<span class="tb-tag{" tb-" + tone if tone else ""}">{escaped_line(text)}</span>'


def rows(pairs: Iterable[tuple[str, str]]) -> str:
    """Names with their values, both plain text."""
    found = "".join(
        f"<div><dt>{escaped_line(name)}</dt><dd>{escaped_line(value, 300)}</dd></div>" for name, value in pairs
    )
    return f'<dl class="tb-facts">{found}</dl>' if found else ""


COPY = '<button type="button" class="tb-copy" aria-label="Copy the answer">Copy</button>'
"""Copies the text of `.tb-said` in the nearest `.tb-copied`; the script of the page does it."""
