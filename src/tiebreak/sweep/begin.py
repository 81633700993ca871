"""How a search begins: its recipe put together, all that is wrong with it found in a moment, its folder made.

Loads no model code: a mistake is answered before torch is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiebreak.errors import InputError
from tiebreak.recipe import Recipe
from tiebreak.recipe.builtin import RecipeLike, chosen_recipe
from tiebreak.recipe.space import Choices
from tiebreak.sweep.folder import SweepFolder
from tiebreak.sweep.plan import Plan, Settings, plan_sweep
from tiebreak.sweep.results import flat
from tiebreak.sweep.study import need_optuna
from tiebreak.workflow.early import check_early


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
        recipe, settings, fix="tiebreak.sweep(model=…, data=…, over=…), or tiebreak sweep RECIPE --over KEY=A,B"
    )
    if not over:
        return chosen
    varied = {} if chosen.sweep is None else dict(chosen.sweep.over)
    return chosen.with_settings({"sweep.over": {**varied, **over}})


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
        _check_same(folder, recipe)
        return folder
    plan = plan_sweep(recipe)
    check_early(plan.recipe_of(_first(plan)), out)
    return SweepFolder.create(recipe, out)


def _first(plan: Plan) -> Settings:
    """The settings of a trial to look at before any is begun."""
    if plan.listed is not None:
        return plan.listed[0]
    return {key: d.values[0] if isinstance(d, Choices) else d.at(0.5) for key, d in plan.space.items()}


def _check_same(folder: SweepFolder, recipe: Recipe) -> None:
    """The search in a folder is that of a recipe.

    Raises:
        InputError: it is another: in which keys.
    """
    written = folder.recipe()
    if written == recipe:
        return
    before, now = flat(written), flat(recipe)
    sections = [each.model_dump(mode="json") if each is not None else {} for each in (written.sweep, recipe.sweep)]
    before |= {f"sweep.{key}": value for key, value in sections[0].items()}
    now |= {f"sweep.{key}": value for key, value in sections[1].items()}
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    raise InputError(
        f"The search in '{folder.path}' has another recipe; other values have: {', '.join(keys[:5])}.",
        where=str(folder.recipe_path),
        fix="give the same recipe as before, or choose another folder with --out; tiebreak sweep --worker "
        f"{folder.path} goes on with what is there",
    )
