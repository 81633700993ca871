"""The trials of a search as Optuna keeps them: in a journal file, in SQLite, or in a PostgreSQL database.

The one module that knows Optuna: how a value becomes one of its parameters, which trial comes next, whether one is
behind the others. Who runs a trial is known to `drive`; a worker takes one only while it is alone in the folder.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal

from tiebreak.errors import InputError
from tiebreak.recipe.space import Choices, Dimension, Scalar
from tiebreak.sweep.folder import SweepFolder
from tiebreak.sweep.plan import Plan, Settings
from tiebreak.sweep.storage import is_server, need_optuna, open_storage, using_storage
from tiebreak.version import __version__

if TYPE_CHECKING:
    import optuna

State = Literal["waiting", "running", "finished", "pruned", "failed"]
_STATES: Mapping[str, State] = {
    "WAITING": "waiting",
    "RUNNING": "running",
    "COMPLETE": "finished",
    "PRUNED": "pruned",
    "FAIL": "failed",
}
_SAME = ("torch", "transformers", "peft")  # packages whose version may change a number
_REASON, _REPEATS, _SEARCH, _VERSIONS = "reason", "repeats", "search", "versions"
_KILLS = "kills"
_DRAWS = 50  # of the sampler, before what is left is listed


@dataclass(frozen=True)
class Trial:
    """A trial as it stands.

    Attributes:
        number: from 0, in the order in which trials came about.
        settings: its values; of one that waits for a worker those that are already known.
        state: how far it is.
        values: of each goal, the mean over its runs; None where it has none.
        repeats: of each of its runs the values of all goals.
        reason: why it failed, or was ended early.
        reported: what was measured on its way, by the number of the evaluation.
        seconds: from its beginning to its end, where it has both.
    """

    number: int
    settings: Settings
    state: State
    values: tuple[float, ...] | None = None
    repeats: tuple[tuple[float, ...], ...] = ()
    reason: str | None = None
    reported: Mapping[int, float] = field(default_factory=dict)
    seconds: float | None = None


class Study:
    """The trials of one search.

    Args:
        plan: of the search.
        folder: of the search, which was begun.
    Raises:
        InputError: the storage is of another search, or damaged.
        RunError: it cannot be reached.
    """

    def __init__(self, plan: Plan, folder: SweepFolder) -> None:
        need_optuna()
        self.plan = plan
        self.folder = folder
        with folder.alone(), self._used():
            self._study = _opened(plan, folder)
            self._check_search()
            if plan.listed is not None:
                # All at once; what a kill cut off is put in by the next worker.
                for settings in plan.listed[len(self._study.get_trials(deepcopy=False)) :]:
                    self._study.enqueue_trial(_encoded(plan.space, settings))

    def trials(self) -> tuple[Trial, ...]:
        """All trials that there are, in their order."""
        with self._used():
            return tuple(self._trial(found) for found in self._study.get_trials(deepcopy=False))

    def next(self) -> int | None:
        """Take the next trial: it is running then. Call it alone in the folder.

        Returns:
            Its number; None where there are no more.
        Raises:
            InputError: the search was begun with other versions, so that its result could not be compared.
        """
        import optuna

        with self._used():
            trials = self._study.get_trials(deepcopy=False)
            waiting = any(trial.state == optuna.trial.TrialState.WAITING for trial in trials)
            if not waiting and len(trials) >= self.plan.limit:
                return None
            self._check_versions()
            if not waiting:
                new = self._new(trials)
                if new is None:
                    return None
                self._study.enqueue_trial(new)
            trial = self._study.ask()
            self._suggest(trial)
            return trial.number

    def _new(self, trials: Sequence[optuna.trial.FrozenTrial]) -> dict[str, Any] | None:
        """What the sampler draws that no trial has yet, as Optuna keeps it; None where it finds nothing new.

        It draws in a copy, in which what it draws again leaves no trial behind.
        """
        import optuna

        directions = self._study.directions
        copy = optuna.create_study(directions=directions, sampler=_sampler(self.plan, len(trials)))
        copy.add_trials(trials)
        tried = {_written(_decoded(self.plan.space, self._params(trial))) for trial in trials}
        for _ in range(_DRAWS):
            drawn = copy.ask()
            self._suggest(drawn)
            if _written(_decoded(self.plan.space, drawn.params)) not in tried:
                return dict(drawn.params)
        left = untried(self.plan.space, tried)
        return None if left is None else _encoded(self.plan.space, left)

    @staticmethod
    def _params(found: optuna.trial.FrozenTrial) -> dict[str, Any]:
        return {**found.system_attrs.get("fixed_params", {}), **found.params}

    def again(self, number: int, steps: int, *, killed: bool) -> int:
        """Take a trial whose process is gone; a kill may have kept it from its values, and it has them afterwards.

        Args:
            number: of a trial that is running.
            steps: that its runs have logged so far.
            killed: whether its process was killed, and did not end by itself.
        Returns:
            How often it was killed without a step since the kill before.
        Raises:
            InputError: as for `next`.
        """
        with self._used():
            self._check_versions()
            trial = self._asked(number)
            self._suggest(trial)
            known = trial.user_attrs.get(_KILLS, {"steps": steps, "count": 0})
            count = (known["count"] if known["steps"] == steps else 0) + killed
            trial.set_user_attr(_KILLS, {"steps": steps, "count": count})
            return int(count)

    def report(self, number: int, evaluation: int, value: float) -> None:
        """Keep what was measured on the way of a trial; of one evaluation the first counts.

        Args:
            number: of the trial.
            evaluation: which one, from 1.
            value: of the one goal.
        """
        with self._used():
            if evaluation not in self._frozen(number).intermediate_values:
                self._asked(number).report(value, evaluation)

    def is_behind(self, number: int) -> bool:
        """Whether a trial is to be ended, by all that was reported of it and of the others."""
        if self.plan.section.prune is None:
            return False
        with self._used():
            return bool(self._asked(number).should_prune())

    def finish(self, number: int, repeats: Sequence[Sequence[float]]) -> None:
        """Keep what came of a trial.

        Args:
            number: of the trial.
            repeats: of each of its runs the values of all goals, all finite.
        """
        values = [sum(each) / len(each) for each in zip(*repeats, strict=True)]
        with self._used():
            self._asked(number).set_user_attr(_REPEATS, [list(each) for each in repeats])
            self._study.tell(number, values)

    def end_early(self, number: int, reason: str) -> None:
        """Keep that a trial was behind."""
        self._end(number, reason, "PRUNED")

    def fail(self, number: int, reason: str) -> None:
        """Keep why a trial has no result."""
        self._end(number, reason, "FAIL")

    def _end(self, number: int, reason: str, state: Literal["PRUNED", "FAIL"]) -> None:
        import optuna

        with self._used():
            self._asked(number).set_user_attr(_REASON, reason)
            self._study.tell(number, state=optuna.trial.TrialState[state])

    def _frozen(self, number: int) -> optuna.trial.FrozenTrial:
        return self._study.get_trials(deepcopy=False)[number]

    def _asked(self, number: int) -> optuna.Trial:
        """A running trial as Optuna lets one report to it, also where another process asked for it."""
        import optuna

        return optuna.Trial(self._study, self._frozen(number)._trial_id)

    def _suggest(self, trial: optuna.Trial) -> None:
        for key, dimension in self.plan.space.items():
            if isinstance(dimension, Choices):
                trial.suggest_categorical(key, _categories(dimension))
            elif dimension.whole and all(isinstance(end, int) for end in (dimension.low, dimension.high)):
                step = int(dimension.step or 1)
                trial.suggest_int(key, int(dimension.low), int(dimension.high), step=step, log=dimension.log)
            else:
                trial.suggest_float(key, dimension.low, dimension.high, step=dimension.step, log=dimension.log)

    def _trial(self, found: optuna.trial.FrozenTrial) -> Trial:
        params = self._params(found)
        seconds = None if found.duration is None else found.duration.total_seconds()
        state = _STATES[found.state.name]
        return Trial(
            number=found.number,
            settings=_decoded(self.plan.space, params),
            state=state,
            values=tuple(found.values) if state == "finished" else None,
            repeats=tuple(tuple(each) for each in found.user_attrs.get(_REPEATS, ())),
            reason=found.user_attrs.get(_REASON),
            reported=dict(sorted(found.intermediate_values.items())),
            seconds=seconds,
        )

    def _check_versions(self) -> None:
        here = _versions()
        for name, version in self._study.user_attrs.get(_VERSIONS, {}).items():
            if here.get(name) != version:
                raise InputError(
                    f"This search was begun with {name} {version}, and here is {here.get(name, 'none')}: the trials "
                    "could not be compared.",
                    where=str(self.folder.path),
                    fix=f"pip install {name}=={version}, or begin a new search",
                )

    def _check_search(self) -> None:
        kept = self._study.user_attrs
        if not kept:
            self._study.set_user_attr(_VERSIONS, _versions())
            self._study.set_user_attr(_SEARCH, self.folder.identity)
        elif kept.get(_SEARCH, self.folder.identity) != self.folder.identity:
            raise _another(str(self.folder.path))

    def _used(self) -> AbstractContextManager[None]:
        return using_storage(str(self.folder.path))


def _another(where: str) -> InputError:
    return InputError(
        "The storage is of another search.",
        where=where,
        fix="give each search a folder of its own, and its storage back to the other one",
    )


def _versions() -> dict[str, str]:
    return {"tiebreak": __version__, **{name: metadata.version(name) for name in _SAME}}


def _opened(plan: Plan, folder: SweepFolder) -> optuna.Study:
    import optuna

    storage, name = open_storage(plan.section.storage, folder), f"tiebreak-{folder.identity}"
    others = [each.study_name for each in storage.get_all_studies() if each.study_name != name]
    if others and not is_server(plan.section.storage):
        raise _another(str(folder.path))
    return optuna.create_study(
        storage=storage,
        study_name=name,
        load_if_exists=True,
        directions=["minimize" if goal.better == "lower" else "maximize" for goal in plan.goals],
        sampler=_sampler(plan, 0),
        pruner=_pruner(plan),
    )


def untried(space: Mapping[str, Dimension], tried: Collection[str]) -> Settings | None:
    """The first settings of lists alone that no trial has; None where all were tried, or there is a range.

    Args:
        space: what is varied.
        tried: settings as text.
    """
    lists = [dimension.values for dimension in space.values() if isinstance(dimension, Choices)]
    if len(lists) < len(space):
        return None
    each = (dict(zip(space, values, strict=True)) for values in itertools.product(*lists))
    return next((settings for settings in each if _written(settings) not in tried), None)


def _written(settings: Settings) -> str:
    return json.dumps(settings, sort_keys=True)


def _sampler(plan: Plan, trials: int) -> optuna.samplers.BaseSampler:
    """Draws by the seed and by how many trials there are, so that a search that was killed goes on as it would have."""
    import optuna

    seed = (plan.section.seed * 1_000_003 + trials) % 2**32
    if plan.section.method != "tpe":
        return optuna.samplers.RandomSampler(seed=seed)
    first = min(10, max(2, plan.limit // 3))  # trials at random, before there is anything to go by
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=first)


def _pruner(plan: Plan) -> optuna.pruners.BasePruner:
    import optuna

    if plan.section.prune == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=plan.section.prune_after)
    if plan.section.prune == "asha":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=4)
    return optuna.pruners.NopPruner()


def _categories(dimension: Choices) -> list[Scalar]:
    """The values of a list as Optuna keeps them: plain ones as they are, and lists and mappings as text."""
    if all(isinstance(value, str | int | float | bool | None) for value in dimension.values):
        return list(dimension.values)
    return [json.dumps(value, sort_keys=True) for value in dimension.values]


def _encoded(space: Mapping[str, Dimension], settings: Settings) -> dict[str, Any]:
    found = {}
    for key, value in settings.items():
        dimension = space[key]
        if isinstance(dimension, Choices):
            value = _categories(dimension)[_place(dimension, value)]
        found[key] = value
    return found


def _place(dimension: Choices, value: object) -> int:
    """Where a value stands in a list; 1 and true are two values."""
    return [json.dumps(each, sort_keys=True) for each in dimension.values].index(json.dumps(value, sort_keys=True))


def _decoded(space: Mapping[str, Dimension], params: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a trial, numbers to six digits: nobody would type what more Optuna draws."""
    found = {}
    for key, dimension in space.items():
        if key not in params:
            continue
        value = params[key]
        if isinstance(dimension, Choices):
            kept = [json.dumps(each) for each in _categories(dimension)]
            found[key] = dimension.values[kept.index(json.dumps(value))]
        else:
            found[key] = value if dimension.whole else float(f"{value:.6g}")
    return found
