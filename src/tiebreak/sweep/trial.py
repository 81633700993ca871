"""One trial: a run of the recipe with its values, or one for each of several seeds; and when one is ended early.

A run is made as `tiebreak train` makes one. One that was cut off goes on from its checkpoint.
"""

from __future__ import annotations

import gc
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tiebreak.errors import InputError, Interrupted, TiebreakError
from tiebreak.formatting.text import one_line
from tiebreak.metrics import HELD_OUT, LOSS
from tiebreak.models.save import disk_is_full
from tiebreak.runs.folder import RunFolder
from tiebreak.runs.metrics_file import read_metrics
from tiebreak.sweep.folder import SweepFolder
from tiebreak.sweep.goals import Goal
from tiebreak.sweep.plan import Plan, Settings
from tiebreak.sweep.study import Study
from tiebreak.workflow.callback import Callback, Event
from tiebreak.workflow.early import DiskTooSmall
from tiebreak.workflow.findings import Hopeless
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.shared import Shared
from tiebreak.workflow.train import train_among


@dataclass(frozen=True)
class Ended:
    """How a trial ended.

    Attributes:
        state: in which way.
        repeats: of each of its runs the values of all goals, where it is finished.
        reason: why it is not.
    """

    state: Literal["finished", "pruned", "failed"]
    repeats: tuple[tuple[float, ...], ...] = ()
    reason: str | None = None


Watch = Callable[[int, Event], None]
"""Told after each step of a trial's runs: the number of the trial, and how far it is."""


class _Reporting(Callback):
    """Reports evaluations of a trial's first run, and ends it where it is behind the others.

    Args:
        study, number, goal: of the trial; without a goal nothing is reported.
        watch: told after each step.
    """

    def __init__(self, study: Study, number: int, goal: Goal | None, watch: Watch) -> None:
        self.study, self.number, self.goal, self.watch = study, number, goal, watch
        self.behind: str | None = None

    def on_step(self, event: Event) -> None:
        """How far the run is."""
        self.watch(self.number, event)

    def on_evaluation(self, event: Event) -> None:
        """Report it; the last evaluation of a run ends nothing any more."""
        self.watch(self.number, event)
        value = None if self.goal is None else event.metrics.get(self.goal.name)
        if value is None or not math.isfinite(value) or self.study.plan.section.prune is None:
            return
        evaluation = _evaluations(RunFolder(event.run), event.step)
        self.study.report(self.number, evaluation, value)
        if event.step < event.steps and self.study.is_behind(self.number):
            assert self.goal is not None
            said = f"{self.goal.name} {self.goal.written(value)} at step {event.step:,} of {event.steps:,}"
            self.behind = f"behind the other trials: {said}"
            raise Interrupted("The trial is ended early.")


def run_trial(
    plan: Plan, study: Study, folder: SweepFolder, number: int, settings: Settings, shared: Shared, watch: Watch
) -> Ended:
    """Run a trial, or what is left of it.

    Args:
        plan, study, folder: of the search.
        number, settings: of the trial, which this process holds.
        shared: what the trials of this process have in common.
        watch: told after each step.
    Raises:
        Interrupted: somebody asked the search to stop; the trial can be gone on with.
        RunError: the disk is full: all other trials would fail as well.
    """
    repeats: list[tuple[float, ...]] = []
    for repeat in range(plan.section.seeds):
        run = folder.run(number, repeat, plan.section.seeds)
        reporting = _Reporting(study, number, plan.goals[0] if repeat == 0 else None, watch)
        try:
            recipe = plan.recipe_of(settings, repeat)
            train_among(
                shared,
                recipe,
                out=run.path,
                progress=Progress(),
                callbacks=[reporting],
                anyway=plan.section.anyway,
            )
        except Interrupted:
            if reporting.behind is None:
                raise
            return Ended("pruned", reason=reporting.behind)
        except TiebreakError as error:
            if _of_all_trials(plan, run, error):
                raise
            return Ended("failed", reason=_one_line(error))
        except Exception as error:  # noqa: BLE001 - whatever ends a run ends this trial, and not the search
            return Ended("failed", reason=f"{type(error).__name__}: {one_line(str(error), 300)}")
        finally:
            gc.collect()  # a trainer holds its model in a ring of references
        manifest = run.load_manifest()
        values = [goal.of(manifest) for goal in plan.goals]
        for goal, value in zip(plan.goals, values, strict=True):
            if value is None or not math.isfinite(value):
                said = "was not measured" if value is None else "is not a number: the run diverged"
                return Ended("failed", reason=f"{goal.name} {said}")
        repeats.append(tuple(value for value in values if value is not None))
    return Ended("finished", tuple(repeats))


def _of_all_trials(plan: Plan, run: RunFolder, error: TiebreakError) -> bool:
    """Whether an error is of the machine or of what all trials have in common, so that others would fail as well.

    That is a full disk; and before the first step whatever is not of the values of this trial: a finding, or a model or
    data where those are varied.
    """
    if isinstance(error, DiskTooSmall) or (isinstance(error.__cause__, OSError) and disk_is_full(error.__cause__)):
        return True
    if not isinstance(error, InputError) or isinstance(error, Hopeless) or run.metrics_path.exists():
        return False
    varied = error.where is not None and any(error.where.startswith(key) for key in plan.space)
    return not varied and not any(key.startswith(("data", "model", "objective")) for key in plan.space)


def remove_weights(run: RunFolder, *, model: bool) -> None:
    """Remove the weights of a run that has ended; its metrics and its report stay.

    Args:
        run: of the trial.
        model: whether the trained model goes too, and not the checkpoints alone.
    """
    shutil.rmtree(run.checkpoints, ignore_errors=True)
    if model:
        shutil.rmtree(run.model, ignore_errors=True)


def _evaluations(run: RunFolder, step: int) -> int:
    """How many evaluations a run has had up to a step, this one included: trials are compared at the same one.

    Batches of another size have other steps, so that steps would not do.
    """
    rows = read_metrics(run.metrics_path)
    return sum(HELD_OUT + LOSS.name in row and row.get("step", 0) <= step for row in rows)


def _one_line(error: TiebreakError) -> str:
    return f"{error.what} ({error.where})" if error.where else error.what
