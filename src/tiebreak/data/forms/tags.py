"""Where a row is from and of what kind it is: short texts, numbers and truth values, by which pairs can be told apart.

Lists, objects and long texts are none: the columns that hold them stay among those that are not used.
"""

from __future__ import annotations

from typing import Any

from tiebreak.data.forms.paths import Expression, unpacked
from tiebreak.data.reading.rows import Values

TAGS = ("source", "category")
"""The roles that are tags."""
_LONGEST = 200  # characters; a column called source may as well hold an article
_WHOLE = 1e15  # numbers below it are whole where they look so


def tag(value: Any) -> str | None:
    """A value as a tag; None where it is none, or blank.

    Whole numbers are written without a point: a column of them that lacks some is of floats in many tables.
    """
    if isinstance(value, str):
        return value if len(value) <= _LONGEST and value.strip() else None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value) if abs(value) < _WHOLE and value.is_integer() else value) if value == value else None
    return str(value) if isinstance(value, int) and value.bit_length() <= _LONGEST else None


def tag_of(expression: Expression, values: Values) -> str | None:
    """The first of the places of a role that holds a tag."""
    if not expression.alternatives:
        return tag(unpacked(expression.get(values)))
    found = (tag(unpacked(path.get(values))) for path in expression.paths)
    return next((each for each in found if each is not None), None)


def no_tags(expression: Expression, values: Values, ignore: frozenset[str]) -> list[str]:
    """The places of a role that a row has something in, and that its tag is not read from.

    Args:
        expression: of the role.
        values: the row.
        ignore: columns that do not matter.
    """
    if not expression.alternatives:
        places = [path.text for path in expression.paths if path.column not in ignore]
        return places if _is_left(expression.get(values)) else []
    found, left = False, []
    for path in expression.paths:
        value = path.get(values)
        if not found and tag(unpacked(value)) is not None:
            found = True
        elif path.column not in ignore and (_is_left(value) or (found and tag(value) is not None)):
            left.append(path.text)
    return left


def _is_left(value: Any) -> bool:
    """Whether a value says something and is no tag."""
    value = unpacked(value)
    if value is None or (isinstance(value, str) and not value.strip()) or value != value:
        return False
    return tag(value) is None and value not in ([], {})
