"""The errors that a user can meet. Each says what is wrong, where, and what to do about it.

The command line turns them into a short message and their exit code; nothing else in Tiebreak exits a process.
"""

from __future__ import annotations


class TiebreakError(Exception):
    """Anything that Tiebreak stops for on purpose.

    Args:
        what: one sentence: what is wrong.
        where: the file, row, column or key, if there is one.
        fix: what to do about it, if that is known.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  what to do: {self.fix}")
        return "\n".join(lines)

    @property
    def sentences(self) -> str:
        """What is wrong and what to do about it, as one paragraph: what a page says."""
        return f"{self.what} {self.fix[0].upper()}{self.fix[1:]}." if self.fix else self.what

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions with keyword arguments do not survive pickling between processes on their own.
        return (_rebuild, (type(self), self.what, self.where, self.fix))


def _rebuild(kind: type[TiebreakError], what: str, where: str | None, fix: str | None) -> TiebreakError:
    return kind(what, where=where, fix=fix)


class InputError(TiebreakError):
    """What the user gave is wrong: a file, a row, a setting, a name. Exit code 2."""

    exit_code = 2


class RunError(TiebreakError):
    """A run could not go on: a loss that is not finite, a full disk, too little memory. Exit code 1."""


class Interrupted(TiebreakError):
    """The user or the system asked the run to stop; it can be resumed. Exit code 130."""

    exit_code = 130
