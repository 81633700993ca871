"""A search from a recipe to its best run: begun, gone on with, or joined by another worker.

What `tiebreak sweep` and `tiebreak.sweep` do; both come through here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiebreak.doctor.finding import Finding
from tiebreak.errors import RunError
from tiebreak.process.host import same_host
from tiebreak.recipe.builtin import RecipeLike
from tiebreak.sweep.begin import begin, sweep_recipe
from tiebreak.sweep.drive import work
from tiebreak.sweep.findings import findings_of
from tiebreak.sweep.folder import SweepFolder
from tiebreak.sweep.plan import Plan, Settings, plan_sweep
from tiebreak.sweep.ranking import best_of
from tiebreak.sweep.report import write_results
from tiebreak.sweep.study import State, Study, Trial
from tiebreak.sweep.tracking import track_search
from tiebreak.workflow.progress import Progress, progress_of
from tiebreak.workflow.run import Run


@dataclass(frozen=True)
class SweepTrial:
    """A trial of a search.

    Attributes:
        number: from 0.
        settings: the values of the keys that are varied.
        state: `finished`, `pruned`, `failed`, `running` or `waiting`.
        values: of each metric that trials are ranked by, means over its runs; empty where it has none.
        runs: one for each seed, as far as they were begun.
        reason: why it failed or was ended early.
    """

    number: int
    settings: Settings
    state: State
    values: Mapping[str, float]
    runs: tuple[Run, ...]
    reason: str | None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "number": self.number,
            "settings": dict(self.settings),
            "state": self.state,
            "values": dict(self.values),
            "runs": [str(run.path) for run in self.runs],
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Search:
    """A search on the disk; iterating over it gives its trials in their order.

    Attributes:
        folder: where everything lies.
        plan: what is searched.
        trials: as they stood when it was read.
        front: the numbers of the best ones.
        findings: what is to be said of it, the most severe first.
    """

    folder: SweepFolder
    plan: Plan
    trials: tuple[SweepTrial, ...]
    front: tuple[int, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def path(self) -> Path:
        """The folder of the search."""
        return self.folder.path

    def __fspath__(self) -> str:
        """The search stands for its folder wherever a path is asked for."""
        return str(self.path)

    def __iter__(self) -> Iterator[SweepTrial]:
        return iter(self.trials)

    def __len__(self) -> int:
        return len(self.trials)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "folder": str(self.path),
            "objective": [goal.name for goal in self.plan.goals],
            "best": list(self.front),
            "trials": [trial.to_json() for trial in self.trials],
            "findings": [finding.to_json() for finding in self.findings],
        }

    @property
    def best_trials(self) -> tuple[SweepTrial, ...]:
        """The best trial; of several metrics all that no other beats, the best of the first metric first."""
        return tuple(self.trials[number] for number in self.front)

    @property
    def best(self) -> Run:
        """The best run.

        Raises:
            RunError: no trial has a result.
        """
        if not self.front:
            raise RunError("No trial of this search has a result.", where=str(self.path))
        trial = self.trials[self.front[0]]
        return min(trial.runs, key=self._cost)

    def _cost(self, run: Run) -> float:
        goal = self.plan.goals[0]
        value = goal.of(run.folder.load_manifest())
        assert value is not None  # it is a run of a trial that has a result
        return value if goal.better == "lower" else -value


def search(
    recipe: RecipeLike | None = None,
    *,
    over: Mapping[str, Any] | None = None,
    model: Path | str | None = None,
    data: Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
    out: Path | str | None = None,
    progress: Progress | bool | None = None,
) -> Search:
    """Search over recipes: train one trial after the other, rank them, and keep the best. As `tiebreak sweep` does.

    The same call with the same `out` goes on with a search that was stopped or killed.

    Args:
        recipe: a `Recipe`, what a recipe file would say, such a file, or the name of a built-in recipe; None is the
            default recipe, for which `model` and `data` must be named.
        over: what is varied, a list of values or a range for each key: `{"objective.beta": [0.05, 0.1],
            "train.learning_rate": {"log": [1e-7, 1e-5]}}`; beside what the recipe varies, and in its place.
        model: Hub id, folder, run folder, or `bundled:base`; in place of the recipe's.
        data: Hub id, file, folder, `votes:URL`, or `bundled:preferences`; in place of the recipe's.
        settings: any keys of the recipe by their dotted names, such as `{"sweep.trials": 10}`.
        out: the folder of the search; None makes one under `sweeps/`.
        progress: True shows it on stderr; else nothing is shown.
    Returns:
        The search, whose trials one can iterate over.
    Raises:
        InputError: something in the recipe, the search or the data is wrong.
        RunError: the disk is full, or no trial has a result; what was done is kept.
        Interrupted: somebody asked it to stop; the same call goes on.
    """
    named = {"model.name": model, "data.source": data}
    asked = {key: str(value) for key, value in named.items() if value is not None} | dict(settings or {})
    chosen = sweep_recipe(recipe, over or {}, asked)
    folder = begin(chosen, None if out is None else Path(out))
    return join(folder.path, progress=progress)


def join(path: Path | str, *, progress: Progress | bool | None = None) -> Search:
    """Work at a search that was begun, beside whoever else does; a finished one is only read.

    Args:
        path: the folder of the search.
        progress: True shows it on stderr; else nothing is shown.
    Raises:
        As for `search`.
    """
    folder = SweepFolder.open(Path(path))
    plan = plan_sweep(folder.recipe())
    with same_host():
        shown = progress_of(progress)
        trials = work(plan, folder, shown, write_results)
        track_search(plan, folder, trials, shown.say)
    return _found(folder, plan, trials)


def open_search(path: Path | str) -> Search:
    """A search that is on the disk, finished or not; nothing is trained.

    Args:
        path: its folder.
    Raises:
        InputError: there is none, or its storage cannot be reached.
    """
    folder = SweepFolder.open(Path(path))
    plan = plan_sweep(folder.recipe())
    return _found(folder, plan, Study(plan, folder).trials())


def _found(folder: SweepFolder, plan: Plan, trials: tuple[Trial, ...]) -> Search:
    front = tuple(trial.number for trial in best_of(trials, plan.goals))
    shown = tuple(_shown(folder, plan, trial) for trial in trials)
    return Search(folder, plan, shown, front, findings_of(plan, folder, trials))


def _shown(folder: SweepFolder, plan: Plan, trial: Trial) -> SweepTrial:
    runs = [folder.run(trial.number, repeat, plan.section.seeds) for repeat in range(plan.section.seeds)]
    values = {} if trial.values is None else {g.name: v for g, v in zip(plan.goals, trial.values, strict=True)}
    begun = tuple(Run(run) for run in runs if run.recipe_path.is_file())
    return SweepTrial(trial.number, trial.settings, trial.state, values, begun, trial.reason)
