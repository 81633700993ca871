"""The trials of a search as Optuna keeps them: in a journal file, in SQLite, or in a PostgreSQL database.

The one module that knows Optuna: how a value becomes one of its parameters, which trial comes next, whether one is
behind the others. Who runs a trial is known to `drive`; a worker takes one only while it is alone in the folder.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from tiebreak.errors import InputError
from tiebreak.recipe.space import Choices, Dimension, Scalar
from tiebreak.sweep.folder import SweepFolder
from tiebreak.sweep.plan import Plan, Settings
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


def need_optuna() -> None:
    """See that the libraries of a search are there.

    Raises:
        InputError: one is not.
    """
    missing = [name for name in ("optuna", "openpyxl") if find_spec(name) is None]
    if missing:
        raise InputError(f"A search needs {' and '.join(missing)}: not installed.", fix='pip install "tiebreak[sweep]"')


class Study:
    """The trials of one search.

    Args:
        plan: of the search.
        folder: of the search, which was begun.
    Raises:
        InputError: the storage cannot be reached, is of another search, or was begun with other versions.
    """

    def __init__(self, plan: Plan, folder: SweepFolder) -> None:
        need_optuna()
        self.plan = plan
        self.folder = folder
        with _quiet(), folder.alone():
            self._study = _opened(plan, folder)
            self._check_same()
            if plan.listed is not None:
                # All at once; what a kill cut off is put in by the next worker.
                for settings in plan.listed[len(self._study.get_trials(deepcopy=False)) :]:
                    self._study.enqueue_trial(_encoded(plan.space, settings))

    def trials(self) -> tuple[Trial, ...]:
        """All trials that there are, in their order."""
        with _quiet():
            return tuple(self._trial(found) for found in self._study.get_trials(deepcopy=False))

    def next(self) -> int | None:
        """Take the next trial: it is running then. Call it alone in the folder.

        Returns:
            Its number; None where there are no more.
        """
        import optuna

        with _quiet():
            trials = self._study.get_trials(deepcopy=False)
            waiting = any(trial.state == optuna.trial.TrialState.WAITING for trial in trials)
            if not waiting and len(trials) >= self.plan.limit:
                return None
            self._study.sampler = _sampler(self.plan, len(trials))
            trial = self._study.ask()
            self._suggest(trial)
            return trial.number

    def again(self, number: int) -> None:
        """Let a trial whose process was killed have all its values, which the kill may have kept it from.

        Args:
            number: of a trial that is running.
        """
        with _quiet():
            self._suggest(self._asked(number))

    def report(self, number: int, evaluation: int, value: float) -> None:
        """Keep what was measured on the way of a trial; of one evaluation the first counts.

        Args:
            number: of the trial.
            evaluation: which one, from 1.
            value: of the one goal.
        """
        with _quiet():
            if evaluation not in self._frozen(number).intermediate_values:
                self._asked(number).report(value, evaluation)

    def is_behind(self, number: int) -> bool:
        """Whether a trial is to be ended, by all that was reported of it and of the others."""
        if self.plan.section.prune is None:
            return False
        with _quiet():
            return bool(self._asked(number).should_prune())

    def finish(self, number: int, repeats: Sequence[Sequence[float]]) -> None:
        """Keep what came of a trial.

        Args:
            number: of the trial.
            repeats: of each of its runs the values of all goals, all finite.
        """
        values = [sum(each) / len(each) for each in zip(*repeats, strict=True)]
        with _quiet():
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

        with _quiet():
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
        params = {**found.system_attrs.get("fixed_params", {}), **found.params}
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

    def _check_same(self) -> None:
        kept = self._study.user_attrs
        if not kept:
            self._study.set_user_attr(_VERSIONS, _versions())
            self._study.set_user_attr(_SEARCH, self.folder.identity)
            return
        where = str(self.folder.path)
        if kept.get(_SEARCH, self.folder.identity) != self.folder.identity:
            raise _another(where)
        here = _versions()
        for name, version in kept.get(_VERSIONS, {}).items():
            if here.get(name) != version:
                raise InputError(
                    f"This search was begun with {name} {version}, and here is {here.get(name, 'none')}: the trials "
                    "could not be compared.",
                    where=where,
                    fix=f"pip install {name}=={version}, or begin a new search",
                )


def _another(where: str) -> InputError:
    return InputError(
        "The storage is of another search.",
        where=where,
        fix="give each search a folder of its own, and its storage back to the other one",
    )


def _versions() -> dict[str, str]:
    return {"tiebreak": __version__, **{name: metadata.version(name) for name in _SAME}}


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna prints nothing within the block, and its settings are afterwards as they were."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)


def _opened(plan: Plan, folder: SweepFolder) -> optuna.Study:
    import optuna

    storage, name = _storage(plan, folder), f"tiebreak-{folder.identity}"
    others = [each.study_name for each in storage.get_all_studies() if each.study_name != name]
    if others and not _is_server(plan):
        raise _another(str(folder.path))
    return optuna.create_study(
        storage=storage,
        study_name=name,
        load_if_exists=True,
        directions=["minimize" if goal.better == "lower" else "maximize" for goal in plan.goals],
        sampler=_sampler(plan, 0),
        pruner=_pruner(plan),
    )


def _is_server(plan: Plan) -> bool:
    return plan.section.storage not in (None, "sqlite")


def _storage(plan: Plan, folder: SweepFolder) -> optuna.storages.BaseStorage:
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    if plan.section.storage is None:
        try:
            return JournalStorage(JournalFileBackend(str(folder.journal_path)))
        except (ValueError, KeyError, OSError) as error:
            raise InputError(
                f"The trials of the search cannot be read: {error}.",
                where=str(folder.journal_path),
                fix="put the file back, or begin a new search",
            ) from None
    from sqlalchemy.exc import SQLAlchemyError

    url = storage_url(plan.section.storage, folder)
    try:
        return RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 60}} if url.startswith("sqlite") else None)
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise InputError(
            f"The storage of the search cannot be reached: {said}.",
            where="sweep.storage",
            fix="see that the database is there and takes this user, or leave sweep.storage out",
        ) from None


def storage_url(storage: str, folder: SweepFolder) -> str:
    """The address of a database, as SQLAlchemy has it.

    Args:
        storage: as the recipe has it.
        folder: of the search.
    Raises:
        InputError: it is no address that is understood, or its driver is not installed.
    """
    if storage == "sqlite":
        return f"sqlite:///{folder.database_path}"
    kind, separator, rest = storage.partition("://")
    if kind not in ("postgresql", "postgres", "postgresql+psycopg") or not separator or not rest:
        raise InputError(
            "The storage of the search is not understood.",
            where="sweep.storage",
            fix="leave it out for a journal file, write sqlite, or postgresql+psycopg://USER@HOST/DATABASE",
        )
    if find_spec("psycopg") is None:
        raise InputError("A PostgreSQL storage needs psycopg.", fix='pip install "tiebreak[postgresql]"')
    return f"postgresql+psycopg://{rest}"


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
            value = _categories(dimension)[dimension.values.index(value)]
        found[key] = value
    return found


def _decoded(space: Mapping[str, Dimension], params: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a trial, numbers to six digits: nobody would type what more Optuna draws."""
    found = {}
    for key, dimension in space.items():
        if key not in params:
            continue
        value = params[key]
        if isinstance(dimension, Choices):
            found[key] = dimension.values[_categories(dimension).index(value)]
        else:
            found[key] = value if dimension.whole else float(f"{value:.6g}")
    return found
