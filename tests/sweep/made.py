"""Searches whose trials are made up in a moment: run folders with the figures that a formula gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tiebreak.recipe import Recipe, parse_recipe
from tiebreak.runs import RunFolder
from tiebreak.runs.metrics_file import append_metrics
from tiebreak.sweep.folder import SweepFolder
from tiebreak.sweep.plan import Plan, plan_sweep
from tiebreak.workflow.callback import Callback, Event
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.run import Run
from tiebreak.workflow.shared import Shared

Loss = Callable[[Recipe], float]
EVALUATIONS = 4


def searched(over: dict[str, Any], base: dict[str, Any] | None = None, **section: Any) -> Recipe:
    """A recipe with a search."""
    return parse_recipe({**(base or {}), "sweep": {"over": over, **section}}, where="mine.yaml")


def begun(tmp_path: Path, recipe: Recipe) -> tuple[Plan, SweepFolder]:
    """A search that has begun."""
    return plan_sweep(recipe), SweepFolder.create(recipe, tmp_path / "search")


class MadeUp:
    """Stands for training: each run has the loss that a formula gives, and gets there in a few evaluations.

    Attributes:
        begun: the recipes of the runs that were begun or gone on with.
        on_step: called at each evaluation, with the recipe and its number; it may raise.
    """

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self.begun: list[Recipe] = []
        self.on_step: Callable[[Recipe, int], None] = lambda recipe, evaluation: None

    def __call__(
        self,
        shared: Shared,
        recipe: Recipe,
        *,
        out: Path,
        progress: Progress,
        callbacks: Sequence[Callback] = (),
        anyway: bool = False,
    ) -> Run:
        """As `train_among`."""
        self.begun.append(recipe)
        folder = RunFolder(out)
        if not folder.recipe_path.is_file():
            folder = RunFolder.create(recipe, out)
        if folder.load_manifest().status == "finished":
            return Run(folder)
        folder.update_manifest(status="running")
        folder.metrics_path.unlink(missing_ok=True)
        folder.checkpoints.mkdir(exist_ok=True)
        final = self.loss(recipe)
        for evaluation in range(1, EVALUATIONS + 1):
            self.on_step(recipe, evaluation)
            loss = final + 0.1 * (EVALUATIONS - evaluation)
            append_metrics(folder.metrics_path, {"step": evaluation, "loss": loss, "seconds": evaluation})
            append_metrics(folder.metrics_path, {"step": evaluation, "eval_loss": loss, "seconds": evaluation})
            event = Event(out, evaluation, EVALUATIONS, 1.0, {"eval_loss": loss})
            for callback in callbacks:
                callback.on_step(event)
                callback.on_evaluation(event)
        folder.model.mkdir(exist_ok=True)
        (folder.model / "config.json").write_text("{}")
        accuracy = 1 - final / 2
        after = {"eval_loss": final, "eval_rewards/accuracies": accuracy, "eval_rewards/margins": 1.0}
        folder.update_manifest(status="finished", after=after, measured=True, timings={"train": 1.0})
        return Run(folder)
