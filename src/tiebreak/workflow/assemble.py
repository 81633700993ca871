"""From a recipe to a trainer that is ready to start: data, model, checks, reference and all that watches the run.

What is found out on the way (the path, the token budget) is recorded in the run folder and used again by a resumed run.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from transformers import EarlyStoppingCallback, PreTrainedModel, TrainerCallback, TrainingArguments
from transformers.pytorch_utils import Conv1D

from tiebreak.engine.allocator import keep_memory
from tiebreak.engine.budget import token_budget
from tiebreak.engine.microbatch import Path
from tiebreak.engine.reference import ReferenceCache, reference_scores
from tiebreak.engine.score import SCORING_TOKENS, Scorer, Scores
from tiebreak.engine.selfcheck import SelfCheck, look_back_windows, self_check
from tiebreak.errors import InputError
from tiebreak.models.adapters import without_adapter
from tiebreak.recipe import Recipe
from tiebreak.runs import RunFolder
from tiebreak.runs.metrics import append_metrics
from tiebreak.training.arguments import (
    METRICS,
    Length,
    length_of,
    pairs_a_step,
    training_arguments,
)
from tiebreak.training.callbacks import LogBeforeSaving, MetricsFile, ProgressLine
from tiebreak.training.examples import Examples, Groups
from tiebreak.training.labelled import LabelledTrainer
from tiebreak.training.live import LiveReference, MovingReference, ReferenceModel
from tiebreak.training.supervised import SupervisedTrainer
from tiebreak.training.trainer import PreferenceTrainer
from tiebreak.training.tree_trainer import TreeTrainer
from tiebreak.workflow.prepare import (
    PreparedData,
    PreparedModel,
    is_supervised,
    kind_of,
    measures_of,
    objective_of,
    prepare_data,
    prepare_model,
)
from tiebreak.workflow.session import Timings, check_unchanged
from tiebreak.workflow.talk import Talk


@dataclass(frozen=True)
class Assembled:
    """Everything that a run needs before its first step.

    Attributes:
        data, prepared: the data, and the model on its device.
        length: of the run, in steps.
        scorer: path, arithmetic and token budget.
        reference: the reference's scores of the held-out pairs; None where there is no reference or nothing held out.
        trainer: ready to train.
    """

    data: PreparedData
    prepared: PreparedModel
    length: Length
    scorer: Scorer
    reference: Scores | None
    trainer: TreeTrainer


def assemble(folder: RunFolder, recipe: Recipe, talk: Talk, *, callbacks: Sequence[TrainerCallback] = ()) -> Assembled:
    """Put a run together.

    Args:
        folder: of the run; what is found out is recorded there.
        recipe: of the run.
        talk: where progress is shown.
        callbacks: that watch the run, besides the metrics file and the progress line.
    Raises:
        InputError: something in the recipe or the data is wrong.
    """
    began = time.perf_counter()
    keep_memory()
    data = prepare_data(recipe, talk)
    prepared = prepare_model(recipe)
    length = length_of(recipe.train, len(data.train))
    arguments = _arguments(folder, recipe, prepared, data, length)  # what is wrong with them should not wait
    data = replace(data, train=_needed(data.train, recipe, length, talk))
    check_unchanged(folder, data=data.account["fingerprint"], model=prepared.fingerprint)
    folder.record(
        kind=kind_of(recipe),
        model=_described(recipe, prepared),
        data=data.account,
        precision={"name": prepared.precision.name, "reason": prepared.precision.reason},
        device=str(prepared.device),
    )
    scorer = _scorer(folder, recipe, prepared, data, talk)
    timings = Timings(folder.manifest().get("timings") or {})
    timings.add("prepare", began)
    folder.record(length={"steps": length.steps, "steps_an_epoch": length.steps_an_epoch}, timings=timings.seconds)

    began = time.perf_counter()
    loss = None if is_supervised(recipe) else objective_of(recipe)
    compared = loss is not None and loss.needs_reference
    live = compared and recipe.train.reference == "live"
    known = _reference(prepared, data.train, scorer, talk) if compared and not live else None
    known_held_out = (
        _reference(prepared, data.held_out, scorer, talk) if compared and data.held_out is not None else None
    )
    timings.add("reference", began)
    folder.record(timings=timings.seconds)
    settings: dict[str, Any] = {
        "scorer": scorer,
        "train": Examples(data.train, known),
        "held_out": Examples(data.held_out, known_held_out) if data.held_out is not None else None,
        "tokenizer": data.tokenizer,
        "callbacks": [*callbacks, *_watching(folder, recipe, talk)],
        "keep_checkpoints": recipe.train.keep_checkpoints,
        "steps_an_epoch": length.steps_an_epoch,
        "on_smaller_budget": _told_of_smaller_budget(folder, scorer, talk),
    }
    trainer: TreeTrainer
    if loss is None:
        trainer = SupervisedTrainer(prepared.model, arguments, **settings)
    else:
        comparing = LabelledTrainer if loss.unpaired else PreferenceTrainer
        reference, moving = _live_reference(recipe, prepared, scorer) if live else (None, None)
        trainer = comparing(prepared.model, arguments, objective=loss, reference=reference, moving=moving, **settings)
    return Assembled(data, prepared, length, scorer, known_held_out, trainer)


def _live_reference(
    recipe: Recipe, prepared: PreparedModel, scorer: Scorer
) -> tuple[LiveReference, MovingReference | None]:
    """What scores pairs as the run goes: a frozen copy of the model, or the model itself without its adapter."""
    if prepared.adapter is not None:
        return ReferenceModel(prepared.model, scorer), None
    settings = recipe.train
    if settings.reference_update is None:
        return ReferenceModel(frozen_copy(prepared.model, prepared.precision.autocast), scorer), None
    frozen = frozen_copy(prepared.model, None)  # mixed into: rounded weights would lose small changes
    moving = MovingReference(
        frozen, settings.reference_update, every=settings.reference_update_every, mix=settings.reference_mix
    )
    return ReferenceModel(frozen, scorer), moving


def frozen_copy(model: PreTrainedModel, arithmetic: torch.dtype | None) -> PreTrainedModel:
    """The model as it stands, for a live reference; matrices that are only multiplied in a type are kept in it."""
    frozen = copy.deepcopy(model)
    frozen.requires_grad_(False)
    table = frozen.get_input_embeddings().weight
    for module in frozen.modules():
        if isinstance(module, torch.nn.Linear | Conv1D) and arithmetic is not None and module.weight is not table:
            module.weight = torch.nn.Parameter(module.weight.to(arithmetic), requires_grad=False)
    return frozen


def _watching(folder: RunFolder, recipe: Recipe, talk: Talk) -> list[TrainerCallback]:
    callbacks: list[TrainerCallback] = [
        LogBeforeSaving(),
        MetricsFile(lambda row: append_metrics(folder.metrics_path, row)),
        ProgressLine(talk.console),
    ]
    if recipe.train.early_stopping is not None:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=recipe.train.early_stopping))
    return callbacks


def _told_of_smaller_budget(folder: RunFolder, scorer: Scorer, talk: Talk) -> Any:
    def smaller(budget: int) -> None:
        if budget == scorer.budget // 2:
            talk.say("Memory ran out: the step is repeated in smaller micro-batches, with the same result.")
        folder.record(tokens_per_microbatch=budget)

    return smaller


def _needed(groups: Groups, recipe: Recipe, length: Length, talk: Talk) -> Groups:
    """The rows that the run will see: all, or where it is shorter than a pass, as many as it has steps for.

    Nothing is computed for the others, which for a short run on a large data set is most of the work.
    """
    needed = length.steps * pairs_a_step(recipe.train)
    if needed >= len(groups):
        return groups
    rows = np.arange(len(groups))
    if recipe.train.shuffle:
        rows = np.random.default_rng(recipe.train.seed).permutation(rows)
    talk.say(f"        {needed:,} of them are needed for {length.steps:,} steps")
    return groups.select(rows[:needed])


def _arguments(
    folder: RunFolder, recipe: Recipe, prepared: PreparedModel, data: PreparedData, length: Length
) -> TrainingArguments:
    return training_arguments(
        recipe.train,
        length,
        output=folder.checkpoints,
        device=prepared.device.type,
        held_out=data.held_out is not None,
        metrics=METRICS[kind_of(recipe)],
    )


def _scorer(folder: RunFolder, recipe: Recipe, prepared: PreparedModel, data: PreparedData, talk: Talk) -> Scorer:
    """Path and token budget: found out once, recorded, and used again by a resumed run."""
    recorded = folder.manifest()
    autocast = prepared.precision.autocast
    if "self_check" in recorded:
        check = SelfCheck(**recorded["self_check"])
    elif recipe.train.path != "padded":
        windows = look_back_windows(prepared.model.config.get_text_config())
        check = self_check(prepared.model, data.train, autocast=autocast, windows=windows)
    else:
        check = SelfCheck("padded", None, "padded batches, as set", 0.0)
    if recipe.train.path == "tree" and check.path != "tree":
        raise InputError(
            f"This model cannot take tree batches: {check.reason}.", where="train.path", fix="set train.path=auto"
        )
    budget = _tokens_per_microbatch(folder, recipe, prepared, data, check.path)
    scorer = Scorer(check.path, autocast, budget, measures_of(recipe))
    folder.record(self_check=check.to_json(), tokens_per_microbatch=scorer.budget)
    talk.say(
        f"model   {recipe.model.name}: {prepared.model.num_parameters():,} parameters on {prepared.device}, "
        f"{prepared.precision.name} ({prepared.precision.reason})"
    )
    if prepared.adapter is not None:
        told = prepared.adapter
        held = {"nf4": " in 4 bits", "int8": " in 8 bits", None: ""}[recipe.model.quantize]
        talk.say(
            f"        trained: {told['kind']} of rank {told['rank']}, {told['parameters']:,} parameters; "
            f"the model{held} stays as it is"
        )
    talk.say(f"        {check.reason}; {scorer.budget:,} tokens a micro-batch")
    return scorer


def _tokens_per_microbatch(
    folder: RunFolder, recipe: Recipe, prepared: PreparedModel, data: PreparedData, path: Path
) -> int:
    """What the recipe fixes, what an earlier session found, or what fits."""
    setting, recorded = recipe.train.tokens_per_microbatch, folder.manifest()
    if "tokens_per_microbatch" in recorded:
        return int(recorded["tokens_per_microbatch"])
    if isinstance(setting, int):
        return setting
    found = token_budget(
        prepared.model,
        data.train,
        Scorer(path, prepared.precision.autocast),
        live_reference=recipe.train.reference == "live",
    )
    folder.record(budget=found.to_json())
    return found.tokens


def _reference(prepared: PreparedModel, groups: Groups, scorer: Scorer, talk: Talk) -> Scores:
    """The reference's log-probs; the reference is the model as it was loaded, without a new adapter."""
    fixed = replace(scorer, budget=SCORING_TOKENS.get(prepared.device.type, 2048))
    new = prepared.adapter is not None and prepared.adapter["continued"] is None
    loaded = without_adapter(prepared.model) if new else nullcontext()
    with loaded, talk.progress("reference", len(groups)) as update:
        scores, found = reference_scores(
            prepared.model,
            groups,
            fixed,
            fingerprint=prepared.fingerprint,
            cache=ReferenceCache(),
            progress=update,
        )
    if found:
        talk.say(f"        reference log-probs of {found:,} of {len(groups):,} pairs were kept from before")
    return scores


def _described(recipe: Recipe, prepared: PreparedModel) -> dict[str, Any]:
    config = prepared.model.config
    return {
        "name": recipe.model.name,
        "revision": recipe.model.revision,
        "architecture": type(prepared.model).__name__,
        "parameters": prepared.model.num_parameters(),
        "fingerprint": prepared.fingerprint,
        "adapter": prepared.adapter,
        "quantize": recipe.model.quantize,
        "license": getattr(config, "license", None),
        "commit": getattr(config, "_commit_hash", None),
    }
