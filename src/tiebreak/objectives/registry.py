"""The registry of objectives: one function each, found by name; its signature says what it needs and takes."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from torch import Tensor

from tiebreak.errors import InputError
from tiebreak.objectives.settings import defaults_of

Function = TypeVar("Function", bound=Callable[..., Tensor])
_REGISTRY: dict[str, Objective] = {}


@dataclass(frozen=True)
class Objective:
    """A loss, and what has to be known to use it.

    Attributes:
        name: its name in recipes.
        loss: `(policy, reference, **settings)` or `(policy, **settings)` to the loss of each pair or example.
        settings: what it takes, by name, with the defaults.
        summary: the first line of its documentation.
        source: where it comes from: the paper, and the place in it.
        needs_reference: it takes the log-probs of a reference.
        whole_step: the loss of a pair depends on the other pairs of the step, so a step cannot be split before it.
        unpaired: it takes single judged completions, `LabelledLogps`, instead of `PairLogps`.
        reward: its rewards come from sums of token log-probs, or from their means.
    """

    name: str
    loss: Callable[..., Tensor]
    settings: Mapping[str, Any]
    summary: str
    source: str
    needs_reference: bool
    whole_step: bool
    unpaired: bool
    reward: Literal["sum", "mean"]


def objective(
    *, whole_step: bool = False, unpaired: bool = False, reward: Literal["sum", "mean"] = "sum"
) -> Callable[[Function], Function]:
    """Register a loss under the name of its function.

    Args:
        whole_step, unpaired, reward: as in `Objective`; all else is read from the function and its documentation.
    Raises:
        TypeError: the arguments are not `policy`, perhaps `reference`, and keyword-only settings with defaults.
        ValueError: another module has registered the name.
    """

    def register(loss: Function) -> Function:
        name = loss.__name__
        parameters = inspect.signature(loss).parameters.values()
        needed = [p.name for p in parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY]
        if needed not in (["policy"], ["policy", "reference"]):
            raise TypeError(f"an objective takes policy and reference, or policy alone; '{name}' takes {needed}")
        if name in _REGISTRY and _REGISTRY[name].loss.__module__ != loss.__module__:
            raise ValueError(f"there is an objective '{name}' already, in {_REGISTRY[name].loss.__module__}")
        documentation = inspect.getdoc(loss) or ""
        _REGISTRY[name] = Objective(
            name=name,
            loss=loss,
            settings=defaults_of(loss),
            summary=documentation.split("\n")[0],
            source=_section(documentation, "Source"),
            needs_reference="reference" in needed,
            whole_step=whole_step,
            unpaired=unpaired,
            reward=reward,
        )
        return loss

    return register


def objective_names() -> list[str]:
    """All registered names."""
    return sorted(_REGISTRY)


def objective_named(name: str, *, where: str = "objective.name") -> Objective:
    """The objective of that name.

    Args:
        name: as in a recipe.
        where: the key of the recipe that the name stands at.
    Raises:
        InputError: there is none; the nearest name is proposed.
    """
    if name not in _REGISTRY:
        near = difflib.get_close_matches(name, _REGISTRY, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(objective_names())}"
        raise InputError(f"There is no objective '{name}'.", where=where, fix=hint)
    return _REGISTRY[name]


def _section(documentation: str, title: str) -> str:
    """The text of one section of a docstring, on one line."""
    _, found, text = documentation.partition(f"\n{title}:\n")
    lines: list[str] = []
    for line in text.split("\n") if found else []:
        if not line.startswith(" "):
            break
        lines.append(line.strip())
    return " ".join(lines)
