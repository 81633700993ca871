"""How a command ends that failed: the message, its JSON where `--json` was given, and the exit code. One place for all.

The message goes to stderr for people. With `--json` stdout, which then holds one JSON document whatever happens, gets
`{"error": {…}}`.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import Any, Literal

from tiebreak.errors import InputError, TiebreakError

Kind = Literal["input", "run", "interrupted", "usage", "internal"]


@dataclass(frozen=True)
class Failure:
    """Why a command failed.

    Attributes:
        kind: wrong input, a run that could not go on, a stop, a wrong command line, or a fault of Tiebreak itself.
        exit_code: of the process.
        what: in a sentence.
        where, fix: as of `TiebreakError`.
        label: before the message.
    """

    kind: Kind
    exit_code: int
    what: str
    where: str | None = None
    fix: str | None = None
    label: str = "error"

    @property
    def message(self) -> str:
        """For people."""
        return str(TiebreakError(self.what, where=self.where, fix=self.fix))

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        said = {"what": self.what, "where": self.where, "what_to_do": self.fix}
        return {"error": {"kind": self.kind, "exit_code": self.exit_code, **said}}


def failure_of(error: BaseException) -> Failure:
    """What is said of an error that ended a command.

    Args:
        error: of Tiebreak, of the user's keyboard, or one that nobody expected.
    """
    if isinstance(error, KeyboardInterrupt):
        return Failure("interrupted", 130, "Stopped.", label="")
    if isinstance(error, TiebreakError):
        kind: Kind = "input" if isinstance(error, InputError) else "run" if error.exit_code == 1 else "interrupted"
        label = "stopped" if kind == "interrupted" else "error"
        return Failure(kind, error.exit_code, error.what, error.where, error.fix, label)
    first = str(error).strip().split("\n")[0]
    fix = "run it again with --debug for the traceback"
    return Failure("internal", 1, f"{type(error).__name__}: {first}", fix=fix, label="failed")


def usage_failure(error: Any) -> Failure:
    """What is said of a command line that cannot be parsed; a flag of another trainer leads to ours.

    Args:
        error: the parser's.
    """
    from tiebreak.recipe.elsewhere import ours_for

    name = getattr(error, "option_name", None)
    meant = ours_for(name) if isinstance(name, str) and name.startswith("--") else None
    fix = None
    if meant is not None:
        fix = str(meant) + (f"; set it with --set {meant.keys[0]}=VALUE" if meant.keys else "")
    return Failure("usage", int(error.exit_code), str(error.format_message()), fix=fix)


def print_failure(failure: Failure, *, as_json: bool, said: bool = False) -> None:
    """Print why a command failed: on stderr, and as JSON on stdout where that was asked for.

    Args:
        failure: what happened.
        as_json: whether `--json` was given.
        said: whether people were told already.
    """
    if not said:
        print_error(failure.message, failure.label)
    if as_json:
        print(json.dumps(failure.to_json(), ensure_ascii=False, indent=2))


def print_error(message: str, label: str = "") -> None:
    """Print a message on stderr, with a label before it that is red on a terminal."""
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    prefix = f"{label}: " if label else ""
    if colour and prefix:
        prefix = f"\x1b[1;31m{prefix}\x1b[0m"
    print(prefix + _printable(message), file=sys.stderr)


def _printable(message: str) -> str:
    """The message with control characters made visible, since text of data can be part of it."""
    return "".join(c if c == "\n" or c.isprintable() else f"\\x{ord(c):02x}" for c in message)
