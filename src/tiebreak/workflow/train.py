"""From a recipe to a run folder with a trained model in it; and on from where a run was cut off.

The order of a run is fixed, and every part of it can be killed: what is finished is on the disk under its final
name, what is not is done again, and the result is the same to the bit on a CPU.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from tiebreak.data.convert import write_rows
from tiebreak.errors import InputError, Interrupted
from tiebreak.models.embeddings import rows_of
from tiebreak.process.host import same_host
from tiebreak.recipe import Recipe
from tiebreak.recipe.builtin import RecipeLike, chosen_recipe
from tiebreak.runs import RunFolder
from tiebreak.runs.manifest import BestRecord, LengthRecord, PrecisionRecord
from tiebreak.runs.metrics_file import cut_metrics
from tiebreak.trackers.tracking import open_tracking
from tiebreak.training.arguments import is_complete, pairs_a_step
from tiebreak.training.callbacks import StopOnRequest, StopRequest
from tiebreak.training.checkpoints import remove_partial
from tiebreak.training.tree_trainer import TreeTrainer
from tiebreak.workflow import messages
from tiebreak.workflow.callback import Callback, Watching, check_callbacks
from tiebreak.workflow.changed import open_harness
from tiebreak.workflow.data import RunData, check_tokens, shared_data
from tiebreak.workflow.early import begun, check_early
from tiebreak.workflow.findings import SayFindings, say_before_training, starting_findings
from tiebreak.workflow.finish import finish, measure_before
from tiebreak.workflow.lifecycle import check_unchanged, counted, one_process_only, recorded_session, timed
from tiebreak.workflow.model import RunModel, prepare_model
from tiebreak.workflow.plan import Plan, make_plan, rows_needed
from tiebreak.workflow.progress import Progress, progress_of
from tiebreak.workflow.reference import Reference, prepare_reference
from tiebreak.workflow.resolve import ResolvedRecipe, resolve
from tiebreak.workflow.run import Run
from tiebreak.workflow.shared import ALONE, Shared
from tiebreak.workflow.trainer import arguments_of, make_trainer


@dataclass(frozen=True)
class ReadyRun:
    """Everything that a run has before its first step.

    Attributes:
        resolved: the recipe as it runs.
        data, model, plan, reference: what the steps are made of.
        trainer: ready to train.
    """

    resolved: ResolvedRecipe
    data: RunData
    model: RunModel
    plan: Plan
    reference: Reference
    trainer: TreeTrainer


def train(
    recipe: RecipeLike | None = None,
    *,
    model: Run | Path | str | None = None,
    data: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    out: Path | str | None = None,
    progress: Progress | bool | None = None,
    callbacks: Sequence[Callback] = (),
    resume_or_start: bool = False,
    anyway: bool = False,
) -> Run:
    """Train a model on preferences, or as a recipe says. As `tiebreak train` does.

    Args:
        recipe: a `Recipe`, what a recipe file would say, such a file, or the name of a built-in recipe; None is the
            default recipe, for which `model` and `data` must be named.
        model: Hub id, folder, run, run folder, or `bundled:base`; in place of the recipe's.
        data: Hub id, file, folder, `votes:URL`, or `bundled:preferences`; in place of the recipe's.
        settings: any keys of the recipe by their dotted names, such as `{"train.learning_rate": 1e-5}`.
        out: the run folder, new or empty; None makes one under `runs/`.
        progress: True shows it on stderr; else nothing is shown.
        callbacks: that watch the run.
        resume_or_start: go on with the run of this recipe in `out`, if there is one; a finished one is only read.
        anyway: begin also where a finding says that nothing can come of the run.
    Returns:
        The finished run.
    Raises:
        InputError: something in the recipe or the data is wrong.
        RunError: the run could not go on; what it had saved is kept.
        Interrupted: somebody asked it to stop; it can be resumed.
    """
    asked = _settings(model, data, settings)
    return _start(recipe, asked, "train", out, progress, callbacks, resume_or_start, anyway)


def sft(
    recipe: RecipeLike | None = None,
    *,
    model: Run | Path | str | None = None,
    data: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    out: Path | str | None = None,
    progress: Progress | bool | None = None,
    callbacks: Sequence[Callback] = (),
    resume_or_start: bool = False,
    anyway: bool = False,
) -> Run:
    """Teach a model to give the completions of demonstrations (or the chosen ones of pairs). As `tiebreak sft` does.

    Args, Returns, Raises: as for `train`; the objective is `supervised`, whatever the recipe says.
    """
    asked = {**_settings(model, data, settings), "objective.name": "supervised"}
    return _start(recipe, asked, "sft", out, progress, callbacks, resume_or_start, anyway)


def train_among(
    shared: Shared,
    recipe: Recipe,
    *,
    out: Path,
    progress: Progress,
    callbacks: Sequence[Callback] = (),
    anyway: bool = False,
) -> Run:
    """One of several runs of this process, or on with it where it was cut off: `train` with `resume_or_start`.

    Args:
        shared: what the runs have in common.
        recipe, out, progress, callbacks, anyway: as for `train`.
    Raises:
        As for `train`.
    """
    return _start(recipe, {}, "train", out, progress, callbacks, resume_or_start=True, anyway=anyway, shared=shared)


def _settings(
    model: Run | Path | str | None, data: str | Path | None, settings: Mapping[str, Any] | None
) -> dict[str, Any]:
    named = {"model.name": model, "data.source": data}
    return {key: os.fspath(value) for key, value in named.items() if value is not None} | dict(settings or {})


def _start(
    recipe: RecipeLike | None,
    settings: Mapping[str, Any],
    function: str,
    out: Path | str | None,
    progress: Progress | bool | None,
    callbacks: Sequence[Callback],
    resume_or_start: bool,
    anyway: bool,
    shared: Shared = ALONE,
) -> Run:
    check_callbacks(callbacks)
    one_process_only()
    chosen = chosen_recipe(recipe, settings, fix=f"tiebreak.{function}(model=…, data=…), or a recipe")
    if resume_or_start and out is not None and begun(chosen, Path(out)):
        return _resume(out, progress, callbacks, shared)
    with same_host():
        resolved = check_early(chosen, Path(out) if out is not None else None).resolved
        folder = RunFolder.create(resolved.recipe, Path(out) if out is not None else None)
        try:
            return _run(folder, resolved, progress_of(progress), callbacks, shared, anyway=anyway)
        except InputError:
            if not folder.metrics_path.exists():  # nothing has run: the name stays free for the corrected attempt
                folder.discard()
            raise


def resume(
    path: Run | Path | str, *, progress: Progress | bool | None = None, callbacks: Sequence[Callback] = ()
) -> Run:
    """Go on with a run that was cut off; a finished one is only read.

    Args:
        path: the run, or its folder.
        progress: True shows it on stderr; else nothing is shown.
        callbacks: that watch the run; none is kept from before.
    Raises:
        As for `train`.
    """
    return _resume(path, progress, callbacks, ALONE)


def _resume(
    path: Run | Path | str, progress: Progress | bool | None, callbacks: Sequence[Callback], shared: Shared
) -> Run:
    check_callbacks(callbacks)
    one_process_only()
    folder, progress = RunFolder.open(Path(path)), progress_of(progress)
    if folder.load_manifest().status == "finished":
        progress.say(messages.finished_line(folder.path))
        return Run(folder)
    with same_host():
        # It was begun, and goes on.
        return _run(folder, resolve(folder.recipe()), progress, callbacks, shared, anyway=True)


def make_ready(
    folder: RunFolder,
    resolved: ResolvedRecipe,
    progress: Progress,
    *,
    callbacks: Sequence[TrainerCallback] = (),
    anyway: bool = True,
    shared: Shared = ALONE,
) -> ReadyRun:
    """Do all that comes before the first step: data, model, plan, reference, trainer.

    Args:
        folder: of the run; what is found out is recorded there.
        resolved: the recipe as it runs.
        progress: where progress is shown.
        callbacks: that watch the run.
        anyway: go on also where a finding says that nothing can come of it.
        shared: what it has in common with other runs of this process.
    Raises:
        InputError: something in the recipe or the data is wrong, or nothing can come of the run.
    """
    recipe = resolved.recipe
    with timed(folder, "prepare"):
        whole = shared_data(recipe, resolved.task, progress, shared)
        data, length = rows_needed(whole, recipe.train)
        progress.say_all(messages.data_lines(whole.record))
        if len(data.train) < len(whole.train):
            progress.say(messages.needed_line(len(data.train), length.steps))
        arguments = arguments_of(folder, resolved, data, length)
        model = prepare_model(recipe, shared)
        check_tokens(data, rows_of(model.model), recipe.model.name)
        losses = {} if resolved.objective is None else resolved.objective.fingerprints
        check_unchanged(folder, data=str(data.record.fingerprint), model=model.fingerprint, objectives=losses)
        if data.held_out is not None:
            write_rows(data.held_out_rows, folder.held_out_rows_path, force=True)
        precision = PrecisionRecord(name=model.precision.name, reason=model.precision.reason)
        folder.update_manifest(
            objectives=losses,
            model=model.record,
            data=data.record,
            precision=precision,
            device=str(model.device),
            length=LengthRecord(steps=length.steps, steps_an_epoch=length.steps_an_epoch),
        )
        progress.say_all(messages.model_lines(model.record, precision, str(model.device)))
        found = starting_findings(recipe, data.record, model.record.parameters)
        if not folder.metrics_path.exists():  # a run that goes on has heard it
            say_before_training(found, progress, anyway=anyway)
        plan = make_plan(folder, resolved, model, data.train, length, shared)
        progress.say(messages.plan_line(plan.check, plan.scorer.budget))
    with timed(folder, "reference"):
        reference = prepare_reference(resolved, model, data, plan.scorer, progress)
    watchers = [*callbacks, SayFindings(folder, [finding.name for finding in found], progress)]
    trainer = make_trainer(folder, resolved, model, data, plan, reference, arguments, progress, callbacks=watchers)
    return ReadyRun(resolved, data, model, plan, reference, trainer)


def _run(
    folder: RunFolder,
    resolved: ResolvedRecipe,
    progress: Progress,
    callbacks: Sequence[Callback],
    shared: Shared,
    *,
    anyway: bool,
) -> Run:
    request, watching = StopRequest(), Watching(callbacks, folder.path)
    progress = replace(progress, pulse=request.check)
    recipe = resolved.recipe
    with (
        folder.locked(),
        recorded_session(folder, resolved.task.name),
        request.listening(progress.say),
        open_tracking(
            recipe.track, folder=folder.path, recipe=recipe, say=progress.say, group=shared.group
        ) as tracking,
    ):
        open_harness(recipe.evaluate)  # a mistyped benchmark is said before anything is loaded
        watchers = [StopOnRequest(request), *tracking.callbacks]
        ready = make_ready(folder, resolved, progress, callbacks=watchers, anyway=anyway, shared=shared)
        ready.trainer.add_callback(watching)  # after all others, whose wishes for a log it has to know
        before = measure_before(
            folder, ready.resolved, ready.model, ready.data, ready.reference, ready.trainer, progress, shared
        )
        with timed(folder, "train"):
            _train(ready, folder, request, progress)
            watching.raise_failure(ready.plan.length.steps)
        after = _take_best(ready, folder)
        seen = ready.trainer.evaluated
        finish(folder, resolved, ready.model, ready.data, before, after, progress, evaluated=seen)
        samples = [sample.to_json() for sample in folder.samples()]
        tracking.finished(folder.load_manifest(), samples, folder.report_path)
    return Run(folder)


def _train(ready: ReadyRun, folder: RunFolder, request: StopRequest, progress: Progress) -> None:
    """Run the steps from the newest checkpoint, or from the start."""
    trainer, length = ready.trainer, ready.plan.length
    each = pairs_a_step(ready.resolved.recipe.train)
    remove_partial(folder.checkpoints)
    checkpoint = folder.last_checkpoint()
    cut_metrics(folder.metrics_path, _step_of(checkpoint))
    if checkpoint is not None and is_complete(checkpoint, length, ready.resolved.recipe.train.early_stopping):
        with counted(folder, lambda: trainer.state.global_step * each):
            trainer.load_finished(checkpoint)
        return
    if checkpoint is not None:
        progress.say(messages.resumed_line(_step_of(checkpoint), length.steps))
    with counted(folder, lambda: trainer.state.global_step * each):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if request.signal is not None and trainer.state.global_step < length.steps:
        step = trainer.state.global_step
        raise Interrupted(
            f"Stopped at step {step} of {length.steps}; everything up to there is saved.",
            fix=f"go on with: tiebreak train --out {folder.path} --resume",
        )


def _take_best(ready: ReadyRun, folder: RunFolder) -> dict[str, float] | None:
    """Put the best checkpoint's weights into the model, and measure them."""
    trainer = ready.trainer
    best, step = None, trainer.load_best()
    metric = trainer.args.metric_for_best_model
    if metric and trainer.state.best_global_step:
        best = BestRecord(step=step, metric=metric, value=trainer.state.best_metric)
    after = trainer.measure() if ready.data.held_out is not None else None
    folder.update_manifest(best=best)
    return after


def _step_of(checkpoint: Path | None) -> int:
    return int(checkpoint.name.split("-")[1]) if checkpoint is not None else -1
