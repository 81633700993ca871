"""The registry of objectives: one function each, its settings being its keyword arguments."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tiebreak.errors import InputError

PairLoss = Callable[..., Tensor]
_REGISTRY: dict[str, Objective] = {}


@dataclass(frozen=True)
class Objective:
    """A loss over pairs.

    Attributes:
        name: its name in recipes.
        loss: `(policy, reference, **settings) -> loss of each pair`, shape (pairs,).
        settings: names of the settings that it takes.
        summary: its first line of documentation.
    """

    name: str
    loss: PairLoss
    settings: tuple[str, ...]
    summary: str

    def configured(self, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> PairLoss:
        """The loss with its settings filled in.

        Args:
            given: all objective settings of a recipe.
            defaults: what they are when nobody sets them.
        Raises:
            InputError: a setting was changed that this objective does not take.
        """
        for key, value in given.items():
            if key not in self.settings and value != defaults.get(key):
                takes = ", ".join(self.settings) or "no settings"
                raise InputError(
                    f"The objective '{self.name}' takes no '{key}'.", where=f"objective.{key}", fix=f"it takes: {takes}"
                )
        settings = {key: given[key] for key in self.settings}
        loss = self.loss
        return lambda policy, reference: loss(policy, reference, **settings)


def objective(loss: PairLoss) -> PairLoss:
    """Register a loss under the name of its function."""
    parameters = inspect.signature(loss).parameters.values()
    settings = tuple(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)
    summary = (inspect.getdoc(loss) or "").split("\n")[0]
    _REGISTRY[loss.__name__] = Objective(loss.__name__, loss, settings, summary)
    return loss


def objective_names() -> list[str]:
    """All registered names."""
    return sorted(_REGISTRY)


def objective_named(name: str) -> Objective:
    """The objective of that name.

    Raises:
        InputError: there is none; the nearest name is proposed.
    """
    if name not in _REGISTRY:
        near = difflib.get_close_matches(name, _REGISTRY, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(objective_names())}"
        raise InputError(f"There is no objective '{name}'.", where="objective.name", fix=hint)
    return _REGISTRY[name]
