"""A loss that somebody else wrote, by the name of its module and function: `mymodule:my_loss`.

Knows how to find a function and how to say that there is none; not what makes it an objective.
"""

from __future__ import annotations

import difflib
import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType
from typing import Any

from tiebreak.errors import InputError


def is_outside(name: str) -> bool:
    """Whether an objective's name is that of a function in a module."""
    return ":" in name


def outside_function(name: str, *, where: str) -> Callable[..., Any]:
    """The function that `module:function` names; this imports the module.

    Args:
        name: as in a recipe. The module is looked for in the working directory first.
        where: the key of the recipe that the name stands at.
    Raises:
        InputError: the name has another form, the module cannot be imported, or it has no such function.
    """
    module_name, _, attribute = name.partition(":")
    if not (attribute.isidentifier() and all(part.isidentifier() for part in module_name.split("."))):
        raise InputError(
            f"'{name}' does not name an objective.", where=where, fix="write MODULE:FUNCTION, such as mymodule:my_loss"
        )
    module = _imported(module_name, where=where)
    found = getattr(module, attribute, None)
    if found is None:
        functions = [each for each, value in vars(module).items() if inspect.isfunction(value)]
        near = difflib.get_close_matches(attribute, functions, n=1)
        raise InputError(
            f"The module '{module_name}' has no '{attribute}'.",
            where=where,
            fix=f"did you mean '{module_name}:{near[0]}'?" if near else f"look into {module.__file__}",
        )
    if not inspect.isfunction(found):
        raise InputError(f"'{name}' is of type {type(found).__name__} and not a function.", where=where)
    return found


def source_fingerprint(loss: Callable[..., Any]) -> str | None:
    """SHA-256 of the file that a function is written in, in hexadecimal; None where it was written in no file."""
    try:
        file = inspect.getsourcefile(inspect.unwrap(loss))
    except TypeError:
        return None
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file and Path(file).is_file() else None


def _imported(name: str, *, where: str) -> ModuleType:
    try:
        with _working_directory_first():
            return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise InputError(
                f"There is no module '{name}'.",
                where=where,
                fix=f"run tiebreak in the folder of {name.split('.')[0]}.py, or install it",
            ) from None
        raise _not_importable(name, error, where) from error
    except Exception as error:  # the module's code is its author's and may raise anything
        raise _not_importable(name, error, where) from error


def _not_importable(name: str, error: Exception, where: str) -> InputError:
    return InputError(f"The module '{name}' cannot be imported: {type(error).__name__}: {error}.", where=where)


@contextmanager
def _working_directory_first() -> Iterator[None]:
    """For one import: what Tiebreak itself imports later must not come from the folder that it is called in."""
    entry = str(Path.cwd())
    invalidate_caches()  # the module may be a second old
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        sys.path.remove(entry)
