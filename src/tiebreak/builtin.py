"""The built-in recipes: which there are, and a recipe by name or file. Knows nothing of what they train."""

from __future__ import annotations

import difflib
from pathlib import Path

from tiebreak.errors import InputError
from tiebreak.recipe import Recipe, load_recipe

_FOLDER = Path(__file__).parent / "recipes"


def builtin_names() -> list[str]:
    """Names of the built-in recipes."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def builtin_text(name: str) -> str:
    """A built-in recipe as it is written, comments included.

    Raises:
        InputError: there is none of that name.
    """
    if name not in builtin_names():
        near = difflib.get_close_matches(name, builtin_names(), n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(builtin_names())}"
        raise InputError(f"There is no built-in recipe '{name}'.", fix=hint)
    return (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def builtin_summary(name: str) -> str:
    """The first comment line of a built-in recipe."""
    return builtin_text(name).splitlines()[0].lstrip("# ").rstrip(".")


def recipe_named(name: str) -> Recipe:
    """A recipe by the name of a built-in one, or from a file.

    Raises:
        InputError: there is neither, or the recipe is wrong.
    """
    if name in builtin_names():
        return load_recipe(_FOLDER / f"{name}.yaml")
    if Path(name).suffix in (".yaml", ".yml") or "/" in name or Path(name).is_file():
        return load_recipe(Path(name))
    builtin_text(name)
    raise AssertionError("unreachable: an unknown name raises")
