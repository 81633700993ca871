"""Formulas of answers: LaTeX becomes MathML, which browsers draw themselves.

What is written here is made of a short list of elements and attributes, with every text escaped, so that no command of
LaTeX (`\\href`, `\\class`, `\\style`, …) reaches the page. A formula that cannot be read is shown as it was written.
"""

from __future__ import annotations

import html
from typing import Literal
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element

_MOST = 4_000  # characters of a formula
ELEMENTS = frozenset(
    {
        *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "ms", "mfrac", "msqrt", "mroot", "msub", "msup"),
        *("msubsup", "munder", "mover", "munderover", "mtable", "mtr", "mtd", "mpadded", "mphantom", "mstyle"),
        *("menclose", "mmultiscripts", "mprescripts", "none"),
    }
)
"""Elements that a formula may be made of."""

ATTRIBUTES = frozenset(
    {
        *("display", "mathvariant", "stretchy", "fence", "form", "separator", "accent", "accentunder"),
        *("displaystyle", "scriptlevel", "linethickness", "columnalign", "rowspacing", "columnspacing"),
        *("columnlines", "rowlines", "minsize", "maxsize", "lspace", "rspace", "width", "notation", "largeop"),
        *("movablelimits", "symmetric"),
    }
)
"""Attributes that they may have."""


Place = Literal["inline", "line", "block"]


def formula(latex: str, place: Place) -> str:
    """A formula as HTML.

    Args:
        latex: without the signs around it.
        place: `inline` in a sentence, `line` on a line of its own in a paragraph, `block` between paragraphs.
    """
    found = _element(latex, display=place != "inline")
    if found is None:
        text = html.escape(latex.strip("\n"), quote=True)
        return f'<pre tabindex="0"><code>{text}</code></pre>' if place == "block" else f"<code>{text}</code>"
    drawn = _written(found)
    if place == "inline":
        return drawn
    return (
        f'<div class="tb-math" tabindex="0">{drawn}</div>'
        if place == "block"
        else f'<span class="tb-math">{drawn}</span>'
    )


def _element(latex: str, *, display: bool) -> Element | None:
    if len(latex) > _MOST:
        return None
    try:
        found = convert_to_element(latex, display="block" if display else "inline")
    except Exception:  # noqa: BLE001  the library meets whatever a model writes, and has no error of its own for all of it
        return None
    # A command that the library does not know is left in the formula with its backslash.
    return None if any("\\" in (part.text or "") for part in found.iter() if part.tag != "mtext") else found


def _written(element: Element) -> str:
    inner = html.escape(html.unescape(element.text or ""), quote=True) + "".join(map(_written, element))
    if element.tag not in ELEMENTS:
        return inner
    said = "".join(
        f' {name}="{html.escape(value, quote=True)}"' for name, value in element.items() if name in ATTRIBUTES
    )
    return f"<{element.tag}{said}>{inner}</{element.tag}>"
