"""From what a recipe says of its objective to the loss that is trained: settings filled in, terms added up."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from tiebreak.errors import InputError
from tiebreak.objectives.logps import Logps
from tiebreak.objectives.registry import Objective, objective_named, objective_names
from tiebreak.objectives.settings import filled
from tiebreak.tasks import TASKS, TaskName

if TYPE_CHECKING:
    from torch import Tensor

Added = Mapping[str, float | Mapping[str, Any]]


@dataclass(frozen=True)
class Term:
    """One objective of a loss, with all its settings.

    Attributes:
        objective: from the registry.
        weight: factor of its loss.
        settings: the value of all that it takes, by name.
    """

    objective: Objective
    weight: float
    settings: dict[str, Any]

    def __call__(self, policy: Logps, reference: Logps | None) -> Tensor:
        """The weighted loss of each pair or example, shape (n,)."""
        needed = (policy, reference) if self.objective.needs_reference else (policy,)
        loss = self.objective.loss(*needed, **self.settings)
        if getattr(loss, "shape", None) != policy.shape:  # a mean over the pairs would be broadcast, unnoticed
            what = f"a tensor of shape {tuple(loss.shape)}" if hasattr(loss, "shape") else f"a {type(loss).__name__}"
            raise InputError(
                f"The objective '{self.objective.name}' gives {what} for {policy.shape[0]} examples.",
                where="objective.name",
                fix="give the loss of each example, and leave weights and means to the run",
            )
        return self.weight * loss


@dataclass(frozen=True)
class Loss:
    """What is trained: a sum of objectives.

    Attributes:
        terms: the named objective first, then the added ones.
        settings: the value in force of every setting of a recipe that a term takes. Where terms differ it is the
            one that was given for all, or else that of the first term that takes it; `added` says the others.
    """

    terms: tuple[Term, ...]
    settings: dict[str, Any]

    def __call__(self, policy: Logps, reference: Logps | None = None) -> Tensor:
        """The loss of each pair, or of each unpaired completion.

        Args:
            policy, reference: log-probs, each field of shape (n,), in nats; the reference may be None where no term
                needs it.
        Returns:
            Weighted sum of the terms, shape (n,).
        Raises:
            ValueError: a term needs a reference and there is none.
        """
        if self.needs_reference and reference is None:
            raise ValueError(f"the objective '{self.terms[0].objective.name}' needs the log-probs of a reference")
        losses = [term(policy, reference) for term in self.terms]
        return sum(losses[1:], start=losses[0])

    @property
    def needs_reference(self) -> bool:
        """Whether any term takes the log-probs of a reference."""
        return any(term.objective.needs_reference for term in self.terms)

    @property
    def whole_step(self) -> bool:
        """Whether the loss of a pair depends on the other pairs of its step."""
        return any(term.objective.whole_step for term in self.terms)

    @property
    def task(self) -> TaskName:
        """What it learns from; all its terms take the same."""
        return self.terms[0].objective.task

    @property
    def reward(self) -> Literal["sum", "mean"]:
        """Whether the first term's rewards come from sums of token log-probs or from their means."""
        return self.terms[0].objective.reward

    @property
    def beta(self) -> float:
        """The first term's beta, the scale of the rewards, per nat; 1 where it takes none."""
        return float(self.terms[0].settings.get("beta", 1.0))

    @property
    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of the file of each term that is not one of Tiebreak's own, by the term's name."""
        found = {term.objective.name: term.objective.fingerprint for term in self.terms}
        return {name: fingerprint for name, fingerprint in found.items() if fingerprint is not None}

    @property
    def added(self) -> dict[str, float | dict[str, Any]]:
        """The added objectives as a recipe states them, with every setting that is not the one in `settings`."""
        found: dict[str, float | dict[str, Any]] = {}
        for term in self.terms[1:]:
            own = {key: value for key, value in term.settings.items() if value != self.settings.get(key)}
            found[term.objective.name] = {"weight": term.weight, **own} if own else term.weight
        return found


def configured(
    name: str,
    given: Mapping[str, Any],
    *,
    weight: float = 1.0,
    add: Added = MappingProxyType({}),
) -> Loss:
    """The loss that a recipe asks for.

    Args:
        name: the objective.
        given: settings for all terms that take them; None is not set, which leaves an objective its own default.
        weight: factor of the named objective.
        add: more objectives by name: a weight, or a mapping with `weight` and settings for this one alone.
    Raises:
        InputError: an unknown objective, a setting that none takes or that has no effect, a value or a weight that
            is not allowed, an objective added to itself, or a mixture of paired and unpaired ones.
    """
    shared = {key: value for key, value in given.items() if value is not None}
    first = objective_named(name)
    own = {added: _own(added, value) for added, value in add.items()}
    if name in own:
        raise InputError(
            f"The objective '{name}' is added to itself.",
            where=f"objective.add.{name}",
            fix="leave it out, and set objective.weight",
        )
    objectives = [first, *(objective_named(added, where="objective.add") for added in own)]
    _check_alike(objectives)
    for key in shared:
        _check_taken(key, objectives, where=f"objective.{key}")
        _check_used(key, objectives, own)
    for entry in objectives[1:]:
        for key in own[entry.name][1]:
            _check_taken(key, [entry], where=f"objective.add.{entry.name}.{key}")
    terms = [Term(first, _weight(name, weight, "objective.weight"), _filled(first, shared, {}))]
    terms += [Term(entry, own[entry.name][0], _filled(entry, shared, own[entry.name][1])) for entry in objectives[1:]]
    _check_orders(shared, own, terms)
    return Loss(tuple(terms), _in_force(shared, own, terms))


def _own(name: str, value: float | Mapping[str, Any]) -> tuple[float, dict[str, Any]]:
    """Weight and own settings of an added objective."""
    where = f"objective.add.{name}"
    if not isinstance(value, Mapping):
        return _weight(name, value, where), {}
    if "weight" not in value:
        raise InputError(
            f"The added objective '{name}' has no weight.", where=where, fix=f"give one: {{{name}: {{weight: 0.5}}}}"
        )
    settings = {key: own for key, own in value.items() if key != "weight" and own is not None}
    return _weight(name, value["weight"], f"{where}.weight"), settings


def _weight(name: str, value: Any, where: str) -> float:
    try:
        weight = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        weight = math.nan
    if not (math.isfinite(weight) and weight > 0):
        raise InputError(
            f"The objective '{name}' cannot have the weight {value!r}.", where=where, fix="give a finite number above 0"
        )
    return weight


def _check_alike(objectives: list[Objective]) -> None:
    by_task: dict[TaskName, list[str]] = {}
    for entry in objectives:
        by_task.setdefault(entry.task, []).append(entry.name)
    if len(by_task) == 1:
        return
    (one, some), (another, others), *_ = sorted(by_task.items(), reverse=True)
    raise InputError(
        f"{_listed(some)} cannot be added up with {_listed(others)}: the former learns from {TASKS[one].examples}, "
        f"the latter from {TASKS[another].examples}.",
        where="objective.add",
        fix="train on pairs with kto_pair instead of kto, or leave one of them out",
    )


def _check_taken(key: str, objectives: list[Objective], *, where: str) -> None:
    if any(key in entry.settings for entry in objectives):
        return
    takes = list(dict.fromkeys(setting for entry in objectives for setting in entry.settings))
    belongs = [other for other in objective_names() if key in objective_named(other).settings]
    near = [] if belongs else difflib.get_close_matches(key, takes, n=1)
    if len(objectives) == 1:
        what, it = f"The objective '{objectives[0].name}' takes no '{key}'.", "it takes"
    else:
        what, it = f"None of the objectives {_listed([o.name for o in objectives])} takes '{key}'.", "they take"
    parts = [f"did you mean '{near[0]}'?"] if near else []
    parts.append(f"{it}: {', '.join(takes)}" if takes else f"{it} no settings")
    parts += [f"'{key}' belongs to {', '.join(belongs)}"] if belongs else []
    raise InputError(what, where=where, fix="; ".join(parts))


def _check_used(key: str, objectives: list[Objective], own: Mapping[str, tuple[float, dict[str, Any]]]) -> None:
    takers = [entry.name for entry in objectives if key in entry.settings]
    if all(name in own and key in own[name][1] for name in takers):
        raise InputError(
            f"objective.{key} has no effect: every objective that takes it has its own, {_listed(takers)}.",
            where=f"objective.{key}",
            fix=f"leave it out, or leave out objective.add.{takers[0]}.{key}",
        )


def _filled(entry: Objective, shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of one term: its own, else those for all, else its defaults."""
    given = {key: value for key, value in shared.items() if key in entry.settings} | dict(own)
    where = {key: f"objective.add.{entry.name}.{key}" if key in own else f"objective.{key}" for key in given}
    return filled(entry.name, entry.declared, given, where=where)


def _check_orders(
    shared: Mapping[str, Any], own: Mapping[str, tuple[float, dict[str, Any]]], terms: Iterable[Term]
) -> None:
    """An order that no alpha divergence uses would have no effect; its default may be written out."""
    key = "divergence_alpha"
    of_alpha = {term.objective.name for term in terms if term.settings.get("divergence") == "alpha"}
    idle = [(f"objective.add.{name}", s[key]) for name, (_, s) in own.items() if key in s and name not in of_alpha]
    if key in shared and not of_alpha:
        idle.append(("objective", shared[key]))
    defaults = {term.objective.settings[key] for term in terms if key in term.settings}
    for section, value in idle:
        if float(value) not in defaults:
            raise InputError(
                f"divergence_alpha = {value} has no effect: no divergence here is 'alpha'.",
                where=f"{section}.divergence_alpha",
                fix=f"set {section}.divergence to alpha, or leave divergence_alpha out",
            )


def _in_force(
    shared: Mapping[str, Any], own: Mapping[str, tuple[float, dict[str, Any]]], terms: Iterable[Term]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for term in terms:
        apart = own[term.objective.name][1] if term.objective.name in own else {}
        for key, value in term.settings.items():
            if not (key in shared and key in apart):
                found.setdefault(key, value)
    return found


def _listed(names: list[str]) -> str:
    return " and ".join(f"'{name}'" for name in names)
