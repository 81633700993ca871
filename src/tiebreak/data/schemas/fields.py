"""Reading one column of a row, with an exact complaint when it is not what it should be.

Knows column values; knows nothing of formats. Everything here is pure.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Any

from tiebreak.data.preference import Message
from tiebreak.data.problems import RowProblem, quoted, shown

Values = Mapping[str, Any]


def required(values: Values, column: str, expected: str) -> Any:
    """The value of a column that must be there and not null."""
    value = values.get(column)
    if value is not None:
        return value
    if column in values:
        raise RowProblem(column, expected, "null")
    names = [str(name) for name in values]
    near = difflib.get_close_matches(column, names, n=1)
    fix = f"rename the column '{near[0]}' to '{column}'" if near else None
    raise RowProblem(column, expected, f"no such column (the row has {quoted(', '.join(names), 80)})", fix)


def text(values: Values, column: str) -> str:
    """A column that must hold text."""
    value = required(values, column, "text")
    if not isinstance(value, str):
        raise RowProblem(column, "text", shown(value))
    return value


def optional_text(values: Values, column: str) -> str:
    """A column that may be missing or null; then the text is empty."""
    return "" if values.get(column) is None else text(values, column)


def ending(values: Values, column: str) -> str:
    """A column that must hold an answer: text that is more than white space, which is stripped around it."""
    return not_empty(text(values, column), column)


def not_empty(answer: str, column: str) -> str:
    """An answer, stripped.

    Raises:
        RowProblem: nothing is left of it.
    """
    stripped = answer.strip()
    if not stripped:
        raise RowProblem(column, "an answer", shown(answer))
    return stripped


def number(value: object, column: str) -> float:
    """A finite number, given as a number or (CSV has nothing else) as text."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise RowProblem(column, "a number", shown(value)) from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RowProblem(column, "a number", shown(value))
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise RowProblem(column, "a finite number", shown(value))
    return result


def score(values: Values, column: str) -> float | None:
    """A score that may be missing; one that is not a number counts as missing."""
    value = values.get(column)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return number(value, column)


def weight(values: Values) -> float:
    """The `weight` of a row: 1 where it is missing, and never negative."""
    value = values.get("weight")
    if value is None:
        return 1.0
    result = number(value, "weight")
    if result < 0:
        raise RowProblem("weight", "a number that is not negative", shown(value))
    return result


def identity(values: Values) -> str | None:
    """The row's own name in its source, if it has one."""
    for column in ("id", "prompt_id", "uuid"):
        value = values.get(column)
        if value is not None and not isinstance(value, list | dict | bool) and str(value).strip():
            return str(value)
    return None


def opening(system: str, question: str, column: str) -> tuple[Message, ...]:
    """A prompt of one user turn, after a system message if there is one."""
    if not question.strip():
        raise RowProblem(column, "a prompt", shown(question))
    turn = (Message("user", question.strip()),)
    return (Message("system", system.strip()), *turn) if system.strip() else turn
