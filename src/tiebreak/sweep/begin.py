"""How a search begins: its recipe put together, all that is wrong with it found in a moment, its folder made.

Loads no model code: a mistake is answered before torch is there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tiebreak.errors import InputError
from tiebreak.recipe import Recipe
from tiebreak.recipe.builtin import RecipeLike, chosen_recipe
from tiebreak.recipe.space import value_text
from tiebreak.sweep.folder import SweepFolder
from tiebreak.sweep.plan import Plan, corners, plan_sweep, settings_text
from tiebreak.sweep.storage import check_storage, need_optuna
from tiebreak.workflow.early import check_early, differing

_FILES = (("data", "source"), ("data", "eval_source"), ("model", "name"))
"""Keys that may name a file or a folder."""


def sweep_recipe(recipe: RecipeLike | None, over: Mapping[str, Any], settings: Mapping[str, Any]) -> Recipe:
    """The recipe of a search.

    Args:
        recipe: as for `search`.
        over: what is varied beside what the recipe varies, and in its place.
        settings: values by dotted key.
    Raises:
        InputError: the recipe, a key, a list or a range is wrong.
    """
    chosen = chosen_recipe(
        recipe, settings, fix="tiebreak sweep RECIPE --over KEY=A,B, or tiebreak.sweep(model=…, data=…, over=…)"
    )
    varied = {**({} if chosen.sweep is None else chosen.sweep.over), **over}
    fixed = next((key for key in settings if key in varied), None)
    if fixed is not None:
        raise InputError(
            f"'{fixed}' is varied, and also set to one value.",
            where="--set" if fixed in over else "sweep.over of the recipe",
            fix=f"leave one of them out; to vary it no more: --over {fixed}={value_text(settings[fixed])}",
        )
    return chosen.with_settings({"sweep.over": varied}) if over else chosen


def begin(recipe: Recipe, out: Path | None) -> SweepFolder:
    """Make the folder of a search, once all that is wrong with it was looked for; or find it where it was begun.

    Args:
        recipe: with its section `sweep`.
        out: the folder; None makes one.
    Raises:
        InputError: the search or its first trial is wrong, or the folder holds another one.
    """
    need_optuna()
    if out is not None and SweepFolder(out).recipe_path.is_file():
        folder = SweepFolder(out)
        _check_same(folder, _from_anywhere(recipe))
        return folder
    recipe = _from_anywhere(recipe)
    plan = plan_sweep(recipe)
    for which, each in _kinds(plan):
        try:
            check_early(each, None if out is None else out / "trials")
        except InputError as error:
            where = f"{which}: {error.where}" if error.where else which
            raise InputError(error.what, where=where, fix=error.fix) from None
    check_storage(plan.section.storage)
    return SweepFolder.create(recipe, out)


def _kinds(plan: Plan) -> Iterator[tuple[str, Recipe]]:
    """The trials that differ in data or model, whose files are looked for before any is begun; each with its name."""
    seen = set[str]()
    for number, settings in enumerate(plan.listed if plan.listed is not None else corners(plan.space)):
        recipe = plan.recipe_of(settings)
        kind = recipe.data.model_dump_json() + recipe.model.model_dump_json()
        if kind not in seen:
            seen.add(kind)
            yield (f"trial {number}" if plan.listed is not None else settings_text(settings)), recipe


def _from_anywhere(recipe: Recipe) -> Recipe:
    """The recipe with the paths of its files whole, so that a worker in another folder finds them."""
    values = recipe.model_dump(by_alias=True, mode="json")
    found: dict[str, Any] = {}
    for section, name in _FILES:
        found[f"{section}.{name}"] = _whole_path(values[section][name])
    if recipe.sweep is not None:
        over = dict(recipe.sweep.over)
        for key in found.keys() & over.keys():
            over[key] = [_whole_path(value) for value in over[key]] if isinstance(over[key], list) else over[key]
        found["sweep.over"] = over
    return recipe.with_settings(found)


def _whole_path(name: Any) -> Any:
    """The whole path of a file or folder that is there; a name of anything else as it is."""
    path = Path(name).expanduser() if isinstance(name, str) and name else None
    return name if path is None or not path.exists() else os.path.abspath(path)  # noqa: PTH100 - a link keeps its name


def _check_same(folder: SweepFolder, recipe: Recipe) -> None:
    """The search in a folder is that of a recipe.

    Raises:
        InputError: it is another: in which keys.
    """
    written = folder.recipe()
    if written != recipe:
        raise InputError(
            f"The search in '{folder.path}' has another recipe: {', '.join(differing(written, recipe))}.",
            where=str(folder.recipe_path),
            fix="give the same recipe as before, or choose another folder with --out; tiebreak sweep --worker "
            f"{folder.path} goes on with what is there",
        )
