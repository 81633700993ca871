"""What can be wrong with a row, and how it is said.

Knows nothing of files or formats: converters raise, the loader adds the place and decides whether to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tiebreak.errors import InputError

OnBad = Callable[[InputError], None]
"""What a reader does with a row it cannot read: raise, or note it and go on."""


class RowProblem(Exception):
    """A row that breaks its format: which column, what was expected, what was found."""

    def __init__(self, column: str, expected: str, found: str, fix: str | None = None) -> None:
        super().__init__(f"{column}: expected {expected}, found {found}")
        self.column = column
        self.expected = expected
        self.found = found
        self.fix = fix

    def at(self, where: str) -> InputError:
        """The same as an error for the user, with its place."""
        return InputError(
            f"Column '{self.column}': expected {self.expected}, found {self.found}.",
            where=f"{where}, column '{self.column}'",
            fix=self.fix or "correct the row, or leave such rows out with --skip-bad-rows (data.skip_bad_rows: true)",
        )


class LeftOut(Exception):
    """A sound row from which no pair can be made, and the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def shown(value: object, limit: int = 60) -> str:
    """A value as an error message shows it: named by kind, escaped, shortened."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {str(value)[:limit]}"
    if isinstance(value, str):
        if not value.strip():
            return "nothing" if not value else "only white space"
        return f"the text {quoted(value, limit)}"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, Mapping):
        return f"an object with the keys {quoted(', '.join(map(str, value)), limit)}" if value else "an empty object"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    return f"a {type(value).__name__}"


def quoted(text: str, limit: int = 60) -> str:
    """Text in quotes, control characters escaped, cut at `limit` characters."""
    return repr(text) if len(text) <= limit else repr(text[:limit]) + "…"
