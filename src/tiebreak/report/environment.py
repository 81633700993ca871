"""How pages are filled in: every text made visible and escaped by the template engine's own settings.

No line of a template can forget it. What is markup, such as a drawing of Tiebreak's own, says so by its type.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tiebreak.formatting import numbers
from tiebreak.formatting.text import one_line, shortened, visible

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"
ANSWER_LIMIT = 6000
"""Characters of an answer that are shown."""


def environment() -> Environment:
    """The template engine, with the filters that pages use."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def harmless(value: object) -> object:
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    found = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=harmless,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["line"] = one_line
    found.filters["nats"] = lambda value: numbers.signed(value, digits=2)
    found.filters["share"] = numbers.percent
    found.filters["answer"] = lambda value: shortened(value, ANSWER_LIMIT)
    return found


def markup(text: str) -> Markup:
    """Text of Tiebreak's own that a page takes as it is.

    Args:
        text: a drawing, a style or a script; never what others wrote.
    """
    from markupsafe import Markup

    return Markup(text)


def template_file(name: str) -> Markup:
    """A style or a script that stands beside the templates, to be put into a page.

    Args:
        name: of the file.
    """
    return markup((_TEMPLATES / name).read_text(encoding="utf-8"))
