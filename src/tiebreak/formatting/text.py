"""Text that others wrote, made harmless to show: control characters made visible, length limited, quoted in Markdown.

Escaping for HTML or a terminal is the business of whoever writes those; this comes before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

# What changes how text around it is shown or read: C0 and C1 controls but tab and line feed, directional overrides,
# zero-width and line separators, lone surrogates (which cannot even be written as UTF-8), and non-characters.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff\ud800-\udfff]"
)

_SPECIAL = re.compile(r"([\\`*_\[\]|<>~$&@])")
_FENCE = re.compile(r"`{3,}")


def visible(text: str) -> str:
    """The text with control characters shown as signs; line feeds and tabs stay."""
    return _UNSEEN.sub(_sign, text.replace("\r\n", "\n"))


def one_line(text: str, limit: int = 160) -> str:
    """The text on one line, shortened: names, reasons and other things that stand in a row."""
    return shortened(" ".join(visible(text[: 4 * limit]).split()), limit)


def shortened(text: str, limit: int) -> str:
    """The start of a text, and how much is dropped.

    Args:
        text: of any length.
        limit: most characters kept.
    Returns:
        The text itself where it is within the limit.
    """
    if len(text) <= limit:
        return text
    return f"{text[:limit].rstrip()} … ({len(text) - limit:,} more characters)"


def front_matter(fields: Mapping[str, Any]) -> str:
    """The YAML that the Hub reads at the top of a card, with the lines that begin and end it."""
    import yaml

    return f"---\n{yaml.safe_dump(dict(fields), sort_keys=False, allow_unicode=True)}---\n"


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


def _sign(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)  # the control pictures of Unicode
    return "␡" if code == 0x7F else "\ufffd"
