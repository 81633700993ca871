"""From a recipe to a run folder with a trained model in it; and on from where a run was cut off.

The order of a run is fixed, and every part of it can be killed: what is finished is on the disk under its final
name, what is not is done again, and the result is the same to the bit on a CPU.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from transformers import EarlyStoppingCallback, TrainingArguments

from tiebreak.engine.budget import token_budget
from tiebreak.engine.reference import ReferenceCache, fingerprint_weights, reference_scores
from tiebreak.engine.score import Scorer, Scores
from tiebreak.engine.selfcheck import SelfCheck, look_back_windows, self_check
from tiebreak.errors import InputError, Interrupted
from tiebreak.recipe import Recipe
from tiebreak.runs import RunFolder
from tiebreak.runs.metrics import append_metrics, cut_metrics
from tiebreak.training.arguments import (
    PAIR_METRICS,
    SUPERVISED_METRICS,
    Length,
    is_complete,
    length_of,
    pairs_a_step,
    training_arguments,
)
from tiebreak.training.callbacks import LogBeforeSaving, MetricsFile, ProgressLine, StopOnRequest, StopRequest
from tiebreak.training.examples import Examples, Groups
from tiebreak.training.supervised import SupervisedTrainer
from tiebreak.training.trainer import PreferenceTrainer
from tiebreak.training.tree_trainer import TreeTrainer, remove_partial
from tiebreak.workflow.finish import Before, finish, measure_before
from tiebreak.workflow.prepare import (
    SUPERVISED,
    PreparedData,
    PreparedModel,
    check_objective,
    is_supervised,
    objective_of,
    prepare_data,
    prepare_model,
)
from tiebreak.workflow.run import Run
from tiebreak.workflow.session import Timings, check_unchanged, one_process_only, recorded_session
from tiebreak.workflow.talk import Talk

# Tokens of a micro-batch of the reference: fixed for each kind of device, so that cached scores can be shared.
_REFERENCE_TOKENS = {"cpu": 2048, "cuda": 16384}


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
    check_objective(recipe)  # a wrong name should not wait for the data
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
    with folder.locked(), recorded_session(folder), request.listening(talk.say):
        began = time.perf_counter()
        data = prepare_data(recipe, talk)
        prepared = prepare_model(recipe)
        length = length_of(recipe.train, len(data.train))
        _arguments(folder, recipe, prepared, data, length)  # what is wrong with them should not wait
        data = replace(data, train=_needed(data.train, recipe, length, talk))
        groups = [data.train] + ([data.held_out] if data.held_out is not None else [])
        fingerprint = fingerprint_weights(prepared.model)
        check_unchanged(folder, data=data.account["fingerprint"], model=fingerprint)
        folder.record(
            kind=SUPERVISED if is_supervised(recipe) else "preference",
            model=_described(recipe, prepared, fingerprint),
            data=data.account,
            precision={"name": prepared.precision.name, "reason": prepared.precision.reason},
            device=str(prepared.device),
        )
        scorer = _scorer(folder, recipe, prepared, data, talk)
        timings = Timings(folder.manifest().get("timings") or {})
        timings.add("prepare", began)
        folder.record(length={"steps": length.steps, "steps_an_epoch": length.steps_an_epoch}, timings=timings.seconds)

        began, pairs = time.perf_counter(), not is_supervised(recipe)
        reference = [_reference(prepared, group, scorer, fingerprint, talk) if pairs else None for group in groups]
        timings.add("reference", began)
        trainer = _trainer(folder, recipe, prepared, data, reference, scorer, length, request, talk)
        before = measure_before(folder, recipe, prepared, data, reference, trainer.measure, talk)

        began = time.perf_counter()
        _train(trainer, folder, recipe, length, request, talk)
        timings.add("train", began)
        folder.record(timings=timings.seconds)
        _finish(trainer, folder, recipe, prepared, data, before, talk)
    return Run(folder)


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


def _finish(
    trainer: TreeTrainer,
    folder: RunFolder,
    recipe: Recipe,
    prepared: PreparedModel,
    data: PreparedData,
    before: Before,
    talk: Talk,
) -> None:
    best, step = None, trainer.load_best()
    if trainer.args.metric_for_best_model and trainer.state.best_global_step:
        best = {"step": step, "metric": trainer.args.metric_for_best_model, "value": trainer.state.best_metric}
    after = trainer.measure() if data.held_out is not None else None
    folder.record(best=best)
    finish(folder, recipe, prepared, data, before, after, talk)


def _arguments(
    folder: RunFolder, recipe: Recipe, prepared: PreparedModel, data: PreparedData, length: Length
) -> TrainingArguments:
    return training_arguments(
        recipe.train,
        length,
        output=folder.checkpoints,
        device=prepared.device.type,
        held_out=data.held_out is not None,
        metrics=SUPERVISED_METRICS if is_supervised(recipe) else PAIR_METRICS,
    )


def _trainer(
    folder: RunFolder,
    recipe: Recipe,
    prepared: PreparedModel,
    data: PreparedData,
    reference: list[Scores | None],
    scorer: Scorer,
    length: Length,
    request: StopRequest,
    talk: Talk,
) -> TreeTrainer:
    arguments = _arguments(folder, recipe, prepared, data, length)
    callbacks: list[Any] = [
        StopOnRequest(request),
        LogBeforeSaving(),
        MetricsFile(lambda row: append_metrics(folder.metrics_path, row)),
        ProgressLine(talk.console),
    ]
    if recipe.train.early_stopping is not None:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=recipe.train.early_stopping))

    def smaller(budget: int) -> None:
        if budget == scorer.budget // 2:
            talk.say("Memory ran out: the step is repeated in smaller micro-batches, with the same result.")
        folder.record(tokens_per_microbatch=budget)

    settings: dict[str, Any] = {
        "scorer": scorer,
        "train": Examples(data.train, reference[0]),
        "held_out": Examples(data.held_out, reference[1]) if data.held_out is not None else None,
        "tokenizer": data.tokenizer,
        "callbacks": callbacks,
        "keep_checkpoints": recipe.train.keep_checkpoints,
        "steps_an_epoch": length.steps_an_epoch,
        "on_smaller_budget": smaller,
    }
    if is_supervised(recipe):
        return SupervisedTrainer(prepared.model, arguments, **settings)
    return PreferenceTrainer(
        prepared.model, arguments, objective=objective_of(recipe), beta=recipe.objective.beta, **settings
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
    setting = recipe.train.tokens_per_microbatch
    budget = recorded.get("tokens_per_microbatch") or (
        setting if isinstance(setting, int) else token_budget(prepared.model)
    )
    folder.record(self_check=check.to_json(), tokens_per_microbatch=budget)
    talk.say(
        f"model   {recipe.model.name}: {prepared.model.num_parameters():,} parameters on {prepared.device}, "
        f"{prepared.precision.name} ({prepared.precision.reason})"
    )
    talk.say(f"        {check.reason}; {budget:,} tokens a micro-batch")
    return Scorer(check.path, autocast, int(budget))


def _reference(prepared: PreparedModel, groups: Groups, scorer: Scorer, fingerprint: str, talk: Talk) -> Scores:
    """The reference's log-probs; the reference is the model as it was loaded."""
    fixed = replace(scorer, budget=_REFERENCE_TOKENS.get(prepared.device.type, 2048))
    with talk.progress("reference", len(groups)) as update:
        scores, found = reference_scores(
            prepared.model,
            groups,
            fixed,
            fingerprint=fingerprint,
            cache=ReferenceCache(),
            progress=update,
        )
    if found:
        talk.say(f"        reference log-probs of {found:,} of {len(groups):,} pairs were kept from before")
    return scores


def _described(recipe: Recipe, prepared: PreparedModel, fingerprint: str) -> dict[str, Any]:
    config = prepared.model.config
    return {
        "name": recipe.model.name,
        "revision": recipe.model.revision,
        "architecture": type(prepared.model).__name__,
        "parameters": prepared.model.num_parameters(),
        "fingerprint": fingerprint,
        "license": getattr(config, "license", None),
        "commit": getattr(config, "_commit_hash", None),
    }


def _step_of(checkpoint: Path | None) -> int:
    return int(checkpoint.name.split("-")[1]) if checkpoint is not None else -1
