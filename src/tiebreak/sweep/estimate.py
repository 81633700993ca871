"""How long a search will take, from one measured step.

A few steps of the first trial are trained in a folder that is thrown away. The steps of each trial follow from its data
and batches, and the time of a step from how many examples it has. Stopping early and what trials share are not counted:
it is what the search takes at most.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tiebreak.recipe import Recipe
from tiebreak.recipe.space import Choices
from tiebreak.runs.metrics_file import read_metrics
from tiebreak.sweep.plan import Plan, Settings
from tiebreak.training.arguments import every, length_of, pairs_a_step
from tiebreak.workflow.data import shared_data
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.resolve import resolve
from tiebreak.workflow.shared import Shared
from tiebreak.workflow.train import train_among

_STEPS = 4  # the first one prepares the libraries
_SHORT: dict[str, Any] = {
    "train.max_steps": _STEPS,
    "train.log_every": 1,
    "train.eval_every": None,
    "train.save_every": None,
    "train.keep_best": None,
    "train.early_stopping": None,
    "evaluate.samples": 0,
    "evaluate.judge": "none",
    "data.eval_limit": 8,
    "track": [],
}
_FORWARD = 1 / 3  # of the time of a step: a backward pass is twice a forward one


@dataclass(frozen=True)
class Estimate:
    """What a search takes.

    Attributes:
        step_seconds: of one step of the first trial, measured.
        trial_seconds: of each trial, steps and evaluations of all its runs.
        trials: how many there are.
        most: seconds after which none is begun any more; None is no limit.
    """

    step_seconds: float
    trial_seconds: tuple[float, ...]
    trials: int
    most: float | None = None

    @property
    def seconds(self) -> float:
        """Of all trials by one worker."""
        each = sum(self.trial_seconds) / len(self.trial_seconds)
        return self.trials * each if self.most is None else min(self.trials * each, self.most + each)


def estimate(plan: Plan, progress: Progress) -> Estimate:
    """Measure a step, and work out the rest.

    Args:
        plan: of the search.
        progress: where reading is shown.
    Raises:
        InputError: the data or the model of the first trial is wrong.
        RunError: the steps could not be trained.
    """
    shared = Shared()
    sample = sample_of(plan)
    recipes = [plan.recipe_of(settings) for settings in sample]
    progress.say(f"        measuring {_STEPS} steps of the first trial")
    step, pairs = _measured(recipes[0], shared)
    trials = tuple(plan.section.seeds * _seconds(recipe, step / pairs, shared, progress) for recipe in recipes)
    hours = plan.section.hours
    return Estimate(step, trials, plan.limit, None if hours is None else 3600 * hours)


def sample_of(plan: Plan) -> Sequence[Settings]:
    """The trials whose times are worked out: all that are known, or the corners of what is varied."""
    if plan.listed is not None:
        return plan.listed
    ends = {key: d.values if isinstance(d, Choices) else (d.at(0.5),) for key, d in plan.space.items()}
    return [
        {key: values[number % len(values)] for key, values in ends.items()}
        for number in range(max(map(len, ends.values())))
    ]


def _measured(recipe: Recipe, shared: Shared) -> tuple[float, int]:
    """Seconds of a step, and its examples."""
    with TemporaryDirectory(prefix="tiebreak-sweep-") as folder:
        run = train_among(shared, recipe.with_settings(_SHORT), out=Path(folder) / "run", progress=Progress())
        seconds = [row["seconds"] for row in read_metrics(run.folder.metrics_path) if "loss" in row]
    steps = [later - before for before, later in itertools.pairwise(seconds)]
    return min(steps), pairs_a_step(recipe.train)  # the fastest: others may be at work on this machine


def _seconds(recipe: Recipe, example: float, shared: Shared, progress: Progress) -> float:
    """Of one run: its steps, the evaluations between them, and one before and one after.

    Args:
        recipe: of the run.
        example: seconds that one example of a step takes.
    """
    resolved = resolve(recipe)
    data = shared_data(recipe, resolved.task, progress, shared)
    length = length_of(recipe.train, len(data.train))
    often = every(recipe.train.eval_every, length)
    held_out = 0 if data.held_out is None else len(data.held_out)
    evaluations = 2 + (0 if often is None else math.floor(length.steps / often))
    return example * (length.steps * pairs_a_step(recipe.train) + _FORWARD * evaluations * held_out)
