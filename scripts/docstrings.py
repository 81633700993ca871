"""How our docstrings are read for the reference: an extension of Griffe, which reads Google's style.

Ours are denser in two ways: sections follow one another without an empty line, and names that mean the like share an
entry (`chosen, rejected: log-probs of the two`).
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Source")
_SECTION = re.compile(rf"^({'|'.join(SECTIONS)}):$")
_SHARED = re.compile(r"^(?P<indent> +)(?P<names>\*{0,2}[\w.]+(?:, \*{0,2}[\w.]+)+): (?P<says>.*)$")


def spread(docstring: str) -> str:
    """The docstring with an empty line before each section, and an entry for each name.

    Args:
        docstring: without the indentation of the code around it.
    """
    made: list[str] = []
    lines = docstring.split("\n")
    line = 0
    while line < len(lines):
        end = line + 1
        shared = _SHARED.match(lines[line])
        if shared is not None:
            while end < len(lines) and lines[end].startswith(shared["indent"] + " "):
                end += 1
            for name in shared["names"].split(", "):
                made += [f"{shared['indent']}{name}: {shared['says']}", *lines[line + 1 : end]]
        else:
            made += ["", lines[line]] if _SECTION.match(lines[line]) and made and made[-1] else [lines[line]]
        line = end
    return "\n".join(made)


class Spread(Extension):
    """Spreads each docstring before it is parsed."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = spread(obj.docstring.value)
