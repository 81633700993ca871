"""A function of the user's that rows go through before their form is looked at: `mymodule:my_function`.

It gets a row as a dict of its columns and gives a row, several, or None for none. Knows how to find it, how to call it,
and what says which function it was: the name, and the SHA-256 of its file.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tiebreak.data.reading.rows import Row, shown
from tiebreak.errors import InputError

LEFT_OUT = "left out by data.transform"


class Counts(Protocol):
    """What counts the rows of a reading."""

    def on_bad(self, error: InputError) -> None:
        """A row that cannot be read."""

    def drop(self, reason: str, where: str) -> None:
        """A sound row that makes nothing."""


@dataclass(frozen=True)
class Transform:
    """A function from a row to a row, rows, or nothing.

    Attributes:
        name: `module:function`.
        fingerprint: SHA-256 of the file that it is written in.
        function: itself.
    """

    name: str
    fingerprint: str
    function: Callable[[dict[str, Any]], Any]

    def record(self) -> dict[str, str]:
        """What the manifest keeps of it."""
        return {"name": self.name, "sha256": self.fingerprint}

    def rows(self, rows: Iterator[Row], counts: Counts) -> Iterator[Row]:
        """Rows after the function."""
        for row in rows:
            try:
                made = self._called(row)
            except InputError as error:
                counts.on_bad(error)
                continue
            if not made:
                counts.drop(LEFT_OUT, row.where)
            for values in made:
                yield Row(row.where, values, row.number, row.remark)

    def _called(self, row: Row) -> list[Mapping[str, Any]]:
        try:
            found = self.function(dict(row.values))
        except Exception as error:  # the function is its author's and may raise anything
            raise InputError(
                f"data.transform failed on a row: {type(error).__name__}: {error}.",
                where=f"{row.where}, {self.name}",
                fix="correct the function, or skip such rows with --skip-bad-rows",
            ) from error
        made = [] if found is None else [found] if isinstance(found, Mapping) else found
        if not isinstance(made, list | tuple) or not all(isinstance(each, Mapping) for each in made):
            raise InputError(
                f"data.transform gives a row (a dict), a list of rows, or None; found {shown(found)}.",
                where=f"{row.where}, {self.name}",
                fix="correct the function",
            )
        return list(made)


def open_transform(name: str) -> Transform:
    """Find a transform; this imports its module, which is looked for in the working directory first.

    Raises:
        InputError: the name has another form, or there is no such module or function.
    """
    function, fingerprint = find_function(name, where="data.transform", example="rows:clean")
    return Transform(name, fingerprint, function)


def find_function(name: str, *, where: str, example: str) -> tuple[Callable[..., Any], str]:
    """A function of the user's and the SHA-256 of the file that it is written in.

    Args:
        name: `module:function`; the module is looked for in the working directory first, and imported.
        where, example: what names the function, and such a name, for errors.
    Raises:
        InputError: the name has another form, or there is no such module or function.
    """
    module_name, colon, attribute = name.partition(":")
    if not colon or not attribute.isidentifier() or not all(part.isidentifier() for part in module_name.split(".")):
        raise InputError(
            f"'{name}' does not name a function.", where=where, fix=f"write MODULE:FUNCTION, such as {example}"
        )
    try:
        with _working_directory_first():
            importlib.invalidate_caches()
            module = importlib.import_module(module_name)
    except Exception as error:  # the module's code is its author's and may raise anything
        missing = isinstance(error, ModuleNotFoundError)
        raise InputError(
            f"The module '{module_name}' cannot be imported: {type(error).__name__}: {error}.",
            where=where,
            fix=f"run tiebreak in the folder of {module_name.split('.')[0]}.py" if missing else "correct the module",
        ) from error
    function = getattr(module, attribute, None)
    if not callable(function):
        raise InputError(f"The module '{module_name}' has no function '{attribute}'.", where=where)
    return function, _fingerprint(function, module)


def _fingerprint(function: Any, module: Any) -> str:
    try:
        file = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:
        file = getattr(module, "__file__", None)
    return hashlib.sha256(Path(file).read_bytes() if file and Path(file).is_file() else b"").hexdigest()


@contextmanager
def _working_directory_first() -> Iterator[None]:
    before = list(sys.path)
    sys.path.insert(0, str(Path.cwd()))
    try:
        yield
    finally:
        sys.path[:] = before
