"""The built-in recipes, which lie beside this file: which there are, and a recipe by name or file.

Knows nothing of what they train.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiebreak.errors import InputError
from tiebreak.recipe.recipe import Recipe, load_recipe, parse_recipe

RecipeLike = Recipe | Mapping[str, Any] | Path | str
"""A recipe, what a recipe file would say, the file, or the name of a built-in one."""

_FOLDER = Path(__file__).parent


def builtin_names() -> list[str]:
    """Names of the built-in recipes."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def builtin_text(name: str) -> str:
    """A built-in recipe as it is written, comments included.

    Raises:
        InputError: there is none of that name.
    """
    return _file_of(name).read_text(encoding="utf-8")


def builtin_summary(name: str) -> str:
    """The first comment line of a built-in recipe."""
    return builtin_text(name).splitlines()[0].lstrip("# ").rstrip(".")


def chosen_recipe(recipe: RecipeLike | None, settings: Mapping[str, Any], *, fix: str) -> Recipe:
    """The recipe that somebody means, with some of its keys set.

    Args:
        recipe: a recipe, what its file would say, its file, or the name of a built-in one; None is the defaults, in
            which the settings must name model and data.
        settings: values by dotted keys, such as `train.learning_rate`.
        fix: what to do where nothing names model and data.
    Raises:
        InputError: nothing names model and data, or a recipe, a key or a value is wrong.
    """
    if recipe is None and not {"model.name", "data.source"} <= settings.keys():
        raise InputError("Name a model and the data to train it on.", fix=fix)
    if isinstance(recipe, Mapping):
        start = parse_recipe(dict(recipe), where="recipe")
    elif isinstance(recipe, Path | str):
        start = load_recipe(recipe) if isinstance(recipe, Path) else recipe_named(recipe)
    elif recipe is None or isinstance(recipe, Recipe):
        start = recipe or Recipe()
    else:
        raise InputError(
            f"A recipe cannot be of the type {type(recipe).__name__}.",
            where="recipe",
            fix="give a tiebreak.Recipe, a dict of its sections, a file, or the name of a built-in recipe",
        )
    return start.with_settings(dict(settings))


def recipe_named(name: str | Path) -> Recipe:
    """A recipe by the name of a built-in one, or from a file.

    Args:
        name: such as `qwen2-truthy`, or the path of a YAML file.
    Raises:
        InputError: there is neither, or the recipe is wrong.
    """
    name = str(name)
    is_file = Path(name).suffix in (".yaml", ".yml") or "/" in name or Path(name).is_file()
    return load_recipe(Path(name) if is_file and name not in builtin_names() else _file_of(name))


def _file_of(name: str) -> Path:
    known = builtin_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(known)}"
        raise InputError(f"There is no built-in recipe '{name}'.", fix=hint)
    return _FOLDER / f"{name}.yaml"
