"""The trainer of a run, ready for its first step, and all that watches it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from transformers import EarlyStoppingCallback, TrainerCallback, TrainingArguments

from tiebreak.engine.router_loss import RouterLoss, router_loss_of
from tiebreak.models.precision import choose_device
from tiebreak.runs import RunFolder
from tiebreak.runs.metrics_file import append_metrics
from tiebreak.tasks import load_part
from tiebreak.training.arguments import Length, training_arguments
from tiebreak.training.callbacks import LogBeforeSaving, MetricsFile, ProgressLine
from tiebreak.training.examples import Examples
from tiebreak.training.tree_trainer import TreeTrainer
from tiebreak.workflow import messages
from tiebreak.workflow.data import RunData
from tiebreak.workflow.model import RunModel
from tiebreak.workflow.plan import Plan
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.reference import Reference
from tiebreak.workflow.resolve import ResolvedRecipe

_LONG = 10  # characters of a word that would stand in every line


def arguments_of(folder: RunFolder, resolved: ResolvedRecipe, data: RunData, length: Length) -> TrainingArguments:
    """The Trainer's arguments; what is wrong with them is found before the model is loaded.

    Raises:
        InputError: there is no such metric to keep the best model by, or nothing is held out to watch.
    """
    return training_arguments(
        resolved.recipe.train,
        length,
        output=folder.checkpoints,
        device=choose_device().type,
        held_out=data.held_out is not None,
        task=resolved.task,
    )


def make_trainer(
    folder: RunFolder,
    resolved: ResolvedRecipe,
    model: RunModel,
    data: RunData,
    plan: Plan,
    reference: Reference,
    arguments: TrainingArguments,
    progress: Progress,
    *,
    callbacks: Sequence[TrainerCallback] = (),
) -> TreeTrainer:
    """The trainer of the run's task.

    Args:
        folder: of the run; metrics and checkpoints are written there.
        resolved, model, data, plan, reference, arguments: of the run.
        progress: where the progress line is shown.
        callbacks: that watch the run, besides the metrics file and the progress line.
    """
    held_out = len(data.held_out) if data.held_out is not None else 0
    line = ProgressLine(
        progress.console,
        header=messages.lines_header(resolved.recipe.train.log_every, held_out, resolved.task.examples),
        held_out=held_out,
        examples=resolved.task.examples if len(resolved.task.examples) < _LONG else "examples",
        bar=replace(
            progress, pulse=lambda: None
        ).bar,  # an evaluation in training is not cut off: a save comes after it
    )
    watching = [*callbacks, *_callbacks(folder, resolved, line)]
    spent = folder.load_manifest().timings.get("train", 0.0)
    for each in watching:
        if isinstance(each, MetricsFile):  # a tracker's, too
            each.spent = spent
    settings: dict[str, Any] = {
        "scorer": plan.scorer,
        "train": Examples(data.train, reference.train),
        "held_out": Examples(data.held_out, reference.held_out) if data.held_out is not None else None,
        "tokenizer": data.tokenizer,
        "callbacks": watching,
        "keep_checkpoints": resolved.recipe.train.keep_checkpoints,
        "steps_an_epoch": plan.length.steps_an_epoch,
        "on_smaller_budget": _on_smaller_budget(folder, plan, progress),
        "router": _router(resolved, model, progress),
    }
    if resolved.objective is not None:
        settings |= {"objective": resolved.objective, "reference": reference.live, "moving": reference.moving}
    trainer: TreeTrainer = load_part(resolved.task.trainer)(model.model, arguments, **settings)
    line.tokens = lambda: trainer.tokens
    trainer.evaluating = line.evaluating
    return trainer


def _router(resolved: ResolvedRecipe, model: RunModel, progress: Progress) -> RouterLoss | None:
    """The router loss of a mixture of experts, where it is to be added; the user is told."""
    if resolved.recipe.train.router_loss == "off":
        return None
    try:
        with torch.autocast(model.device.type, dtype=model.plain, enabled=model.plain is not None):
            found = router_loss_of(model.model)
    except ValueError as error:
        progress.say(messages.no_router_line(str(error)))
        return None
    if found is not None:
        progress.say(messages.router_line(found.weight))
    return found


def _callbacks(folder: RunFolder, resolved: ResolvedRecipe, line: ProgressLine) -> list[TrainerCallback]:
    callbacks: list[TrainerCallback] = [
        LogBeforeSaving(),
        MetricsFile(lambda row: append_metrics(folder.metrics_path, row)),
        line,
    ]
    patience = resolved.recipe.train.early_stopping
    if patience is not None:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=patience))
    return callbacks


def _on_smaller_budget(folder: RunFolder, plan: Plan, progress: Progress) -> Callable[[int], None]:
    def on_smaller_budget(budget: int) -> None:
        if budget == plan.scorer.budget // 2:
            progress.say(messages.SMALLER_BUDGET)
        folder.update_manifest(tokens_per_microbatch=budget)

    return on_smaller_budget
