"""From a recipe to a run folder with a trained model in it; and on from where a run was cut off.

The order of a run is fixed, and every part of it can be killed: what is finished is on the disk under its final
name, what is not is done again, and the result is the same to the bit on a CPU.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

from tiebreak.errors import InputError, Interrupted
from tiebreak.recipe import Recipe
from tiebreak.runs import RunFolder
from tiebreak.runs.metrics import cut_metrics
from tiebreak.training.arguments import (
    Length,
    is_complete,
)
from tiebreak.training.callbacks import StopOnRequest, StopRequest
from tiebreak.training.checkpoints import remove_partial
from tiebreak.training.trackers import check_trackers, open_tracking
from tiebreak.training.tree_trainer import TreeTrainer
from tiebreak.workflow.assemble import Assembled, assemble
from tiebreak.workflow.finish import Before, finish, measure_before
from tiebreak.workflow.prepare import completed
from tiebreak.workflow.run import Run
from tiebreak.workflow.session import Timings, one_process_only, recorded_session
from tiebreak.workflow.talk import Talk


def train(recipe: Recipe, *, out: Path | str | None = None, talk: Talk | None = None) -> Run:
    """Train as a recipe says.

    Args:
        recipe: model, data, objective and settings.
        out: the run folder; None makes one under `runs/`.
        talk: where progress is shown; None is nowhere.
    Returns:
        The finished run.
    Raises:
        InputError: something in the recipe or the data is wrong.
        RunError: the run could not go on; what it had saved is kept.
        Interrupted: somebody asked it to stop; it can be resumed.
    """
    recipe = completed(recipe)  # a wrong name should not wait for the data
    check_trackers(recipe.track)
    folder = RunFolder.create(recipe, Path(out) if out is not None else None)
    try:
        return _run(folder, recipe, talk or Talk())
    except InputError:
        if not folder.metrics_path.exists():  # nothing has run: the name stays free for the corrected attempt
            folder.discard()
        raise


def resume(path: Path | str, *, talk: Talk | None = None) -> Run:
    """Go on with a run that was cut off; a finished one is only read.

    Args:
        path: the run folder.
        talk: where progress is shown; None is nowhere.
    Raises:
        As for `train`.
    """
    folder, talk = RunFolder.open(Path(path)), talk or Talk()
    if folder.manifest().get("status") == "finished":
        talk.say(f"The run {folder.path} is finished: there is nothing to resume.")
        return Run(folder)
    return _run(folder, folder.recipe(), talk)


def _run(folder: RunFolder, recipe: Recipe, talk: Talk) -> Run:
    request = StopRequest()
    talk = replace(talk, pulse=request.check)
    one_process_only()
    with (
        folder.locked(),
        recorded_session(folder),
        request.listening(talk.say),
        open_tracking(recipe.track, folder=folder.path, recipe=recipe, say=talk.say) as tracking,
    ):
        parts = assemble(folder, recipe, talk, callbacks=[StopOnRequest(request), *tracking.callbacks])
        before = measure_before(folder, recipe, parts, talk)
        began = time.perf_counter()
        _train(parts.trainer, folder, recipe, parts.length, request, talk)
        timings = Timings(folder.manifest().get("timings") or {})
        timings.add("train", began)
        folder.record(timings=timings.seconds)
        _finish(parts, folder, recipe, before, talk)
        tracking.finished(
            folder.manifest(), json.loads(folder.samples_path.read_text(encoding="utf-8")), folder.report_path
        )
    return Run(folder)


def _train(
    trainer: TreeTrainer, folder: RunFolder, recipe: Recipe, length: Length, request: StopRequest, talk: Talk
) -> None:
    """Run the loop from the newest checkpoint, or from the start."""
    remove_partial(folder.checkpoints)
    checkpoint = folder.last_checkpoint()
    cut_metrics(folder.metrics_path, _step_of(checkpoint))
    if checkpoint is not None and is_complete(checkpoint, length, recipe.train.early_stopping):
        trainer.load_finished(checkpoint)
        return
    if checkpoint is not None:
        talk.say(f"train   resumed from step {_step_of(checkpoint)} of {length.steps}")
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if request.signal is not None and trainer.state.global_step < length.steps:
        step = trainer.state.global_step
        raise Interrupted(
            f"Stopped at step {step} of {length.steps}; everything up to there is saved.",
            fix=f"go on with: tiebreak train --out {folder.path} --resume",
        )


def _finish(parts: Assembled, folder: RunFolder, recipe: Recipe, before: Before, talk: Talk) -> None:
    trainer = parts.trainer
    best, step = None, trainer.load_best()
    if trainer.args.metric_for_best_model and trainer.state.best_global_step:
        best = {"step": step, "metric": trainer.args.metric_for_best_model, "value": trainer.state.best_metric}
    after = trainer.measure() if parts.data.held_out is not None else None
    folder.record(best=best)
    finish(folder, recipe, parts.prepared, parts.data, before, after, talk)


def _step_of(checkpoint: Path | None) -> int:
    return int(checkpoint.name.split("-")[1]) if checkpoint is not None else -1
