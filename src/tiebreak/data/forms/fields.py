"""Reading one value of a row: text, a number, a weight; with an exact complaint where it is something else.

Knows single values; conversations are in `conversation`, and where a value stands in `paths`. Everything here is pure:
who reads a row adds where it stands, and decides whether to go on.
"""

from __future__ import annotations

import math
from typing import Any

from tiebreak.data.reading.rows import Values, shown
from tiebreak.errors import InputError


class RowProblem(Exception):
    """A row that breaks its form: which column, what was expected, what was found."""

    def __init__(self, column: str, expected: str, found: str, fix: str | None = None) -> None:
        super().__init__(f"{column}: expected {expected}, found {found}")
        self.column = column
        self.expected = expected
        self.found = found
        self.fix = fix

    def at(self, where: str, values: Values | None = None) -> InputError:
        """The same as an error for the user, with the row that has it; of several columns the one that the row has."""
        names = self.column.split("|") if values is not None and "{" not in self.column else [self.column]
        there = [name for name in names if values is not None and name.partition(".")[0] in values]
        column = next((name for name in there if values is not None and values.get(name) not in (None, [])), None)
        column = column or (there or names)[0]
        return InputError(
            f"Column '{column}': expected {self.expected}, found {self.found}.",
            where=f"{where}, column '{column}'",
            fix=self.fix or "correct the row, or skip such rows with --skip-bad-rows (data.skip_bad_rows: true)",
        )


class Dropped(Exception):
    """A sound row from which no pair can be made, and the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def not_empty(answer: str, column: str) -> str:
    """An answer as it stands, which is more than white space.

    Raises:
        RowProblem: it is not.
    """
    if not answer or answer.isspace():
        raise RowProblem(column, "an answer", shown(answer))
    return answer


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


def score(value: object, column: str) -> float | None:
    """A score that may be missing; one that is not a number counts as missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return number(value, column)


def weight(value: object, column: str) -> float:
    """A weight: 1 where it is missing, and never negative."""
    if value is None:
        return 1.0
    result = number(value, column)
    if result < 0:
        raise RowProblem(column, "a number that is not negative", shown(value))
    return result


def identity(value: Any) -> str | None:
    """The row's own name in its source, if the value is one."""
    if value is None or isinstance(value, list | dict | bool) or not str(value).strip():
        return None
    return str(value)
