"""What a search will try: its space, its goals, and the settings of each trial where they can be known beforehand.

Everything that is wrong with a search is found here, by its trial and its key, before anything is made or loaded.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tiebreak.errors import InputError
from tiebreak.recipe import Recipe, SweepSection
from tiebreak.recipe.space import Choices, Dimension, check_different, is_number, value_text
from tiebreak.sweep.goals import Goal, goals_of
from tiebreak.workflow.resolve import ResolvedRecipe, resolve

Settings = Mapping[str, Any]
"""The values of a trial, by the key that is varied."""

DRAWN = 20
"""Trials of a search that has no end of its own."""
IN_TIME = 1_000
"""Trials of a search that ends with its time."""
_MOST = 10_000
_SEED = "train.seed"


@dataclass(frozen=True)
class Plan:
    """A search, before it begins.

    Attributes:
        recipe: as written, with its section `sweep`.
        base: the recipe of which trials are variations, without that section.
        space: what is varied.
        goals: what trials are ranked by, at least one.
        listed: the settings of every trial in order; None where each is chosen by what the others came to.
        limit: trials at most.
    """

    recipe: Recipe
    base: Recipe
    space: Mapping[str, Dimension]
    goals: tuple[Goal, ...]
    listed: tuple[Settings, ...] | None
    limit: int

    @property
    def section(self) -> SweepSection:
        """How to search."""
        assert self.recipe.sweep is not None
        return self.recipe.sweep

    def recipe_of(self, settings: Settings, repeat: int = 0) -> Recipe:
        """The recipe of one run of a trial.

        Args:
            settings: of the trial.
            repeat: which of its runs, from 0; each has a seed of its own.
        Raises:
            InputError: the recipe refuses a value.
        """
        varied = self.base.with_settings(dict(settings))
        return varied.with_settings({_SEED: varied.train.seed + repeat}) if repeat else varied


def plan_sweep(recipe: Recipe) -> Plan:
    """Find out what a search will try.

    Args:
        recipe: with a section `sweep`.
    Raises:
        InputError: nothing is varied, there is no such key, the recipe refuses a value, or no run logs what trials are
            ranked by.
    """
    section = recipe.sweep
    if section is None or not section.over:
        raise InputError(
            "The recipe says nothing of what to vary.",
            where="sweep.over",
            fix="tiebreak sweep RECIPE --over train.learning_rate=1e-6,5e-6, or a section sweep in the recipe",
        )
    base = recipe.model_copy(update={"sweep": None})
    _check_apart(section.space)
    space = {key: _as_written_by(recipe, key, dimension) for key, dimension in section.space.items()}
    _check_seeds(section, space)
    listed = _listed(section, space)
    plan = Plan(recipe, base, space, (), listed, _limit(section, space, listed))
    goals = _check_trials(plan)
    unlogged = next((goal.name for goal in goals if not goal.logged), None)
    if section.prune is not None and unlogged is not None:
        raise InputError(
            f"A trial can be ended early only by what is measured on its way, and '{unlogged}' is not.",
            where="sweep.prune",
            fix="leave prune out, or rank by eval_loss or eval_rewards/accuracies",
        )
    return Plan(recipe, base, space, goals, listed, plan.limit)


def settings_text(settings: Settings) -> str:
    """The values of a trial on one line."""
    return ", ".join(f"{key}={value_text(value)}" for key, value in settings.items())


def _as_written_by(recipe: Recipe, key: str, dimension: Dimension) -> Dimension:
    """What is tried of a key, each value as the recipe has it: 4 and not 4.0, and `lora` as the mapping it stands for.

    Raises:
        InputError: there is no such key, or it refuses a value by itself.
    """
    if key.partition(".")[0] in ("sweep", "track"):
        raise InputError(f"'{key}' is of the search as a whole and cannot be varied.", where="sweep.over")
    assert recipe.sweep is not None
    base, alone = recipe.model_copy(update={"sweep": None}), len(recipe.sweep.over) == 1
    if isinstance(dimension, Choices):
        meant = [_tried(base, key, value, alone=alone) for value in dimension.values]
        try:
            check_different(dimension.values, meant)
        except ValueError as error:
            raise InputError(f"{key}: {error}.", where="sweep.over") from None
        # What stands for a mapping is shorter to read as it was written: `lora`.
        written = zip(dimension.values, meant, strict=True)
        return Choices(tuple(value if isinstance(found, dict) else found for value, found in written))
    ends = [_tried(base, key, end, alone=alone) for end in (dimension.low, dimension.high)]
    if not all(map(is_number, ends)):
        raise InputError(f"'{key}' takes no range of numbers.", where="sweep.over", fix="give a list of values")
    between = dimension.at(0.37)
    try:
        base.with_settings({key: between})
    except InputError as error:
        if isinstance(between, float) and all(end == int(end) for end in ends):
            fix = f"write both ends as whole numbers: [{int(dimension.low)}, {int(dimension.high)}]"
            raise InputError(error.what, where=f"sweep.over, {key}", fix=fix) from None
        if alone:
            raise _refused(error, f"sweep.over, {key}={value_text(between)}") from None
    # A key of whole numbers has whole ends; of any other, [0, 1] means what lies between, too.
    whole = all(isinstance(end, int) for end in ends) and isinstance(dimension.step, int | None)
    return replace(dimension, low=ends[0], high=ends[1], whole=whole)


def _tried(base: Recipe, key: str, value: Any, *, alone: bool) -> Any:
    """A value as the recipe has it. One that is refused by itself may do with what else is varied; trials will tell."""
    try:
        found: Any = base.with_settings({key: value}).model_dump(by_alias=True, mode="json")
    except InputError as error:
        if not alone and not error.what.startswith(("There is no key", f"'{key}' is a section")):
            return value
        raise _refused(error, f"sweep.over, {key}={value_text(value)}") from None
    for part in key.split("."):
        if not isinstance(found, dict) or part not in found:  # a setting of an added objective from outside
            return value
        found = found[part]
    return found


def _check_apart(space: Mapping[str, Dimension]) -> None:
    """See that no key is a part of another one, which would overwrite it or be overwritten.

    Raises:
        InputError: one is.
    """
    for key in space:
        outer = next((other for other in space if key.startswith(f"{other}.")), None)
        if outer is not None:
            raise InputError(
                f"'{key}' is a part of '{outer}', and both are varied.",
                where="sweep.over",
                fix=f"vary one of them; whole values of '{outer}' can be mappings in a list",
            )


def _refused(error: InputError, where: str) -> InputError:
    return InputError(error.what, where=where, fix=error.fix)


def _check_seeds(section: SweepSection, space: Mapping[str, Dimension]) -> None:
    if section.seeds > 1 and _SEED in space:
        raise InputError(
            "The seed is varied twice: sweep.seeds repeats each trial, and sweep.over has train.seed.",
            where="sweep.seeds",
            fix="leave one of them out",
        )


def _limit(section: SweepSection, space: Mapping[str, Dimension], listed: tuple[Settings, ...] | None) -> int:
    if listed is not None:
        return len(listed)
    lists = [len(dimension.values) for dimension in space.values() if isinstance(dimension, Choices)]
    different = math.prod(lists) if len(lists) == len(space) else _MOST
    return min(different, section.trials or (DRAWN if section.hours is None else IN_TIME))


def _listed(section: SweepSection, space: Mapping[str, Dimension]) -> tuple[Settings, ...] | None:
    if section.method == "tpe" or (section.method == "random" and section.trials is None and section.hours is not None):
        return None  # each is drawn when it is its turn
    if section.method == "random":
        return tuple(_drawn(space, section.trials or DRAWN, section.seed))
    values = [d.values if isinstance(d, Choices) else d.on_grid() for d in space.values()]
    count = math.prod(map(len, values))
    if min(count, section.trials or count) > _MOST:
        raise InputError(
            f"The grid has {count:,} trials, and {_MOST:,} are the most.",
            where="sweep.over",
            fix="try fewer values, set sweep.trials, or set sweep.search to random or tpe",
        )
    combined = (dict(zip(space, each, strict=True)) for each in itertools.product(*values))
    return tuple(itertools.islice(combined, section.trials))


def _drawn(space: Mapping[str, Dimension], count: int, seed: int) -> Iterator[Settings]:
    """Settings at random, none of them twice as long as there are others."""
    draw, seen = random.Random(seed), set[str]()
    for _ in range(count):
        for _ in range(100):
            settings = {key: _draw(dimension, draw) for key, dimension in space.items()}
            if settings_text(settings) not in seen:
                break
        else:
            return
        seen.add(settings_text(settings))
        yield settings


def _draw(dimension: Dimension, draw: random.Random) -> Any:
    return draw.choice(dimension.values) if isinstance(dimension, Choices) else dimension.at(draw.random())


def _check_trials(plan: Plan) -> tuple[Goal, ...]:
    """Resolve each trial, or where they are not known yet each value by itself, and see that it logs what all are
    ranked by; returns that.

    Raises:
        InputError: the recipe refuses one, or it logs something else: which trial, and which values.
    """
    tried = plan.listed if plan.listed is not None else tuple(corners(plan.space))
    goals: tuple[Goal, ...] = ()
    for number, settings in enumerate(tried):
        try:
            resolved = resolve(plan.recipe_of(settings))
            goals = goals_of(plan.section.objective, resolved)
            _check_evaluated(plan.section, resolved)
        except InputError as error:
            which = f"trial {number}: " if plan.listed is not None else ""
            where = f" ({error.where})" if error.where and error.where.startswith(("sweep.", "data.")) else ""
            raise _refused(error, f"{which}{settings_text(settings)}{where}") from None
    return goals  # there is at least one value of each key


def _check_evaluated(section: SweepSection, resolved: ResolvedRecipe) -> None:
    if section.prune is not None and resolved.recipe.train.eval_every is None:
        raise InputError(
            "A trial can be ended early only at an evaluation, and there is none before its end.",
            where="sweep.prune",
            fix="set train.eval_every, or leave prune out",
        )


def corners(space: Mapping[str, Dimension]) -> Iterator[Settings]:
    """Settings in which each value of a list, and each end of a range, comes up once at least."""
    ends = [d.values if isinstance(d, Choices) else (d.low, d.high) for d in space.values()]
    for number in range(max(map(len, ends))):
        yield {key: values[number % len(values)] for key, values in zip(space, ends, strict=True)}
