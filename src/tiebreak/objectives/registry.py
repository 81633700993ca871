"""The registry of objectives: one function each, found by name; its signature says what it needs and takes.

Tiebreak's own have plain names. Any other function is an objective by the name `module:function`. Knows no torch, so
that recipes are checked and objectives listed at once.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import ValidationError

from tiebreak.errors import InputError
from tiebreak.objectives.outside import is_outside, outside_function, source_fingerprint
from tiebreak.objectives.settings import Setting, settings_of
from tiebreak.tasks import TASKS, Task, TaskName

if TYPE_CHECKING:
    from torch import Tensor

Function = TypeVar("Function", bound="Callable[..., Tensor]")
_HOME = "tiebreak.objectives."
_BUILT_IN: dict[str, Objective] = {}
_OTHER_NAMES = {"dpo": "sigmoid"}
_DECORATED: dict[Callable[..., Any], Objective] = {}


@dataclass(frozen=True)
class Objective:
    """A loss, and what has to be known to use it.

    Attributes:
        name: its name in recipes.
        loss: `(policy, reference, **settings)` or `(policy, **settings)` to the loss of each pair or example.
        summary: the first line of its documentation.
        source: where it comes from: the paper, and the place in it.
        needs_reference: it takes the log-probs of a reference.
        whole_step: the loss of a pair depends on the other pairs of the step, so a step cannot be split before it.
        task: what it learns from; it says whose log-probs it takes, `PairLogps` or `UnpairedLogps`.
        reward: its rewards come from sums of token log-probs, or from their means.
    """

    name: str
    loss: Callable[..., Tensor]
    summary: str
    source: str
    needs_reference: bool
    whole_step: bool
    task: TaskName
    reward: Literal["sum", "mean"]

    @property
    def declared(self) -> Mapping[str, Setting]:
        """What it takes, by name."""
        return settings_of(self.loss)

    @property
    def settings(self) -> Mapping[str, Any]:
        """The defaults of what it takes, by name."""
        return {name: setting.default for name, setting in self.declared.items()}

    @property
    def fingerprint(self) -> str | None:
        """SHA-256 of its file, where it is not one of Tiebreak's own."""
        return source_fingerprint(self.loss) if is_outside(self.name) else None


def objective(
    *,
    whole_step: bool = False,
    unpaired: bool = False,
    task: TaskName | None = None,
    reward: Literal["sum", "mean"] = "sum",
) -> Callable[[Function], Function]:
    """Make a function an objective.

    Args:
        whole_step, reward: as in `Objective`; all else is read from the function and its documentation.
        unpaired: it takes unpaired completions, `UnpairedLogps`, instead of pairs.
        task: what it takes, where it is neither.
    Raises:
        TypeError: the arguments are not `policy`, perhaps `reference`, and keyword-only settings with defaults.
        ValueError: there is no such task, or another module of Tiebreak has an objective of that name.
    """

    def register(loss: Function) -> Function:
        takes = task or ("unpaired" if unpaired else "preference")
        if takes not in TASKS:
            raise ValueError(f"there is no task '{takes}'; there are: {', '.join(TASKS)}")
        found = _described(loss, whole_step=whole_step, task=takes, reward=reward)
        if not loss.__module__.startswith(_HOME):
            _DECORATED[loss] = found
            return loss
        known = _BUILT_IN.get(found.name)
        if known is not None and known.loss.__module__ != loss.__module__:
            raise ValueError(f"there is an objective '{found.name}' already, in {known.loss.__module__}")
        _BUILT_IN[found.name] = found
        return loss

    return register


def objective_names() -> list[str]:
    """The names of Tiebreak's own."""
    return sorted(_BUILT_IN)


def written_names() -> list[str]:
    """All that a recipe may name without a module: Tiebreak's own, their other names, and what trainers have fixed."""
    fixed = [task.fixed_objective for task in TASKS.values() if task.fixed_objective is not None]
    return sorted([*_BUILT_IN, *_OTHER_NAMES, *fixed])


def plain_name(name: Any) -> Any:
    """The name in the registry of what a recipe may call otherwise: `dpo` is `sigmoid`; anything else as it is."""
    return _OTHER_NAMES.get(name, name) if isinstance(name, str) else name


def objective_named(name: str, *, where: str = "objective.name") -> Objective:
    """The objective of that name; one from outside is imported.

    Args:
        name: as in a recipe.
        where: the key of the recipe that the name stands at.
    Raises:
        InputError: there is none, and the nearest name is proposed; or a function from outside is no objective.
    """
    if is_outside(name):
        return _outside(name, where=where)
    name = plain_name(name)
    if name not in _BUILT_IN:
        near = difflib.get_close_matches(name, [*_OTHER_NAMES, *_BUILT_IN], n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(objective_names())}"
        raise InputError(f"There is no objective '{name}'.", where=where, fix=hint)
    return _BUILT_IN[name]


def task_of_objective(name: str, *, load: bool = True) -> Task | None:
    """What a run with this objective learns from.

    Args:
        name: as in a recipe.
        load: import the module of an objective from outside, which alone says what it takes.
    Returns:
        The task; None where only that module could say it.
    Raises:
        InputError: there is no such objective.
    """
    fixed = next((task for task in TASKS.values() if task.fixed_objective == name), None)
    if fixed is not None or (is_outside(name) and not load):
        return fixed
    return TASKS[objective_named(name).task]


def known_settings() -> Mapping[str, Mapping[str, Setting]]:
    """Every setting of Tiebreak's own objectives: by its name, and then by the objectives that take it."""
    found: dict[str, dict[str, Setting]] = {}
    for name in objective_names():
        for key, setting in _BUILT_IN[name].declared.items():
            found.setdefault(key, {})[name] = setting
    return MappingProxyType(found)


def setting_for(key: str, names: Iterable[str]) -> Setting | None:
    """What a recipe's key is checked against before it is known whether the run can use it.

    Args:
        key: of the objective section.
        names: of the objectives that the section names; the first that takes the key decides, or else any.
    Returns:
        The setting; None where no objective takes the key.
    """
    takers = known_settings().get(key, {})
    return next((takers[name] for name in (*names, *takers) if name in takers), None)


def _outside(name: str, *, where: str) -> Objective:
    loss = outside_function(name, where=where)
    try:
        found = _DECORATED.get(loss) or _described(loss, whole_step=False, task="preference", reward="sum")
        for setting in found.declared.values():
            setting.check(setting.default)
        if not isinstance(found.settings.get("beta", 1.0), int | float):
            raise TypeError("rewards are scaled by 'beta', and it is no number")
    except ValidationError as error:
        why = f"the default {setting.default!r} of '{setting.name}' is not allowed: {error.errors()[0]['msg']}"
    except TypeError as error:
        why = str(error)
    else:
        return replace(found, name=name)
    raise InputError(f"'{name}' is no objective: {why}.", where=where, fix="write it as in docs/objectives.md")


def _described(
    loss: Callable[..., Tensor], *, whole_step: bool, task: TaskName, reward: Literal["sum", "mean"]
) -> Objective:
    parameters = inspect.signature(loss).parameters.values()
    needed = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
    if needed not in (["policy"], ["policy", "reference"]):
        raise TypeError(f"an objective takes policy and reference, or policy alone; '{loss.__name__}' takes {needed}")
    settings_of(loss)  # raises where a setting is declared wrongly
    documentation = inspect.getdoc(loss) or ""
    return Objective(
        name=loss.__name__,
        loss=loss,
        summary=documentation.split("\n")[0],
        source=_section(documentation, "Source"),
        needs_reference="reference" in needed,
        whole_step=whole_step,
        task=task,
        reward=reward,
    )


def _section(documentation: str, title: str) -> str:
    """The text of one section of a docstring, on one line."""
    _, found, text = documentation.partition(f"\n{title}:\n")
    lines: list[str] = []
    for line in text.split("\n") if found else []:
        if not line.startswith(" "):
            break
        lines.append(line.strip())
    return " ".join(lines)
