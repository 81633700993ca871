"""From a recipe's training section to the Trainer's arguments."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from tiebreak.errors import InputError
from tiebreak.metrics import best_metric
from tiebreak.recipe import TrainSection
from tiebreak.tasks import TASKS, Task


@dataclass(frozen=True)
class Length:
    """How long a run is.

    Attributes:
        steps: optimizer steps in all.
        steps_an_epoch: optimizer steps in one pass over the data.
    """

    steps: int
    steps_an_epoch: int


def length_of(train: TrainSection, examples: int) -> Length:
    """Steps of a run over so many examples; a last, smaller batch is a step too."""
    an_epoch = max(1, math.ceil(examples / pairs_a_step(train)))
    steps = train.max_steps if train.max_steps is not None else max(1, math.ceil(train.epochs * an_epoch))
    return Length(steps, an_epoch)


def pairs_a_step(train: TrainSection) -> int:
    """Examples that one optimizer step sees."""
    return train.batch_size * train.gradient_accumulation


def every(setting: str | int | float | None, length: Length) -> int | None:
    """A setting of `…_every` in steps; None is never."""
    if setting is None:
        return None
    if setting == "epoch":
        return length.steps_an_epoch
    if isinstance(setting, float) and setting < 1:
        return max(1, round(setting * length.steps))
    return int(setting)


def training_arguments(
    train: TrainSection,
    length: Length,
    *,
    output: Path,
    device: str,
    held_out: bool,
    task: Task = TASKS["preference"],
) -> TrainingArguments:
    """The Trainer's arguments.

    Args:
        train: the recipe's section.
        length: of the run.
        output: folder of the checkpoints.
        device: `cpu` or `cuda`.
        held_out: whether there is held-out data; without it nothing is evaluated and the last model is kept.
        task: what the run learns from; the best model can be kept by a metric that it measures.
    Raises:
        InputError: there is no such metric, or nothing is held out for early stopping to watch.
    """
    if train.learning_rate == "auto":
        raise ValueError("the learning rate is still 'auto': arguments are made from a resolved recipe")
    eval_steps = every(train.eval_every, length) or length.steps
    save_steps = every(train.save_every, length) or length.steps
    best = train.keep_best if held_out else None
    if train.early_stopping is not None and not held_out:
        raise InputError(
            "Early stopping watches a held-out metric, and nothing is held out.",
            where="train.early_stopping",
            fix="set data.eval_fraction, data.eval_source or data.eval_split, or leave early_stopping out",
        )
    metric = None if best is None else best_metric(best, task)
    arguments = TrainingArguments(
        output_dir=str(output),
        per_device_train_batch_size=pairs_a_step(train),
        per_device_eval_batch_size=pairs_a_step(train),
        num_train_epochs=train.epochs,
        max_steps=length.steps,
        learning_rate=train.learning_rate,
        lr_scheduler_type=train.schedule,
        # The first step of a warm-up has rate 0: a run of one step would learn nothing.
        warmup_steps=min(math.ceil(train.warmup_ratio * length.steps), length.steps - 1),
        weight_decay=train.weight_decay,
        adam_beta1=train.adam_betas[0],
        adam_beta2=train.adam_betas[1],
        max_grad_norm=train.max_grad_norm,
        optim="adamw_torch_fused",
        train_sampling_strategy="random" if train.shuffle else "sequential",
        seed=train.seed,
        data_seed=train.seed,
        logging_strategy="steps",
        logging_steps=train.log_every,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        eval_strategy="steps" if held_out else "no",
        eval_steps=eval_steps if held_out else None,
        save_strategy="steps",
        save_steps=save_steps,
        metric_for_best_model=best,
        greater_is_better=None if metric is None else metric.better != "lower",
        restore_callback_states_from_checkpoint=True,
        use_cpu=device == "cpu",
        remove_unused_columns=False,
        report_to=[],
        disable_tqdm=True,
        # The head is used apart from the model's forward pass; a search for unused parameters would miss it.
        ddp_find_unused_parameters=False,
        log_level="passive",  # the verbosity of `transformers` is the process's own
    )
    arguments._n_gpu = min(1, arguments.n_gpu)  # one device a process: a tree batch cannot be cut along its rows
    return arguments


def is_complete(checkpoint: Path, length: Length, early_stopping: int | None) -> bool:
    """Whether a checkpoint is the end of its run: its last step, or where early stopping ended it."""
    state: dict[str, Any] = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    if state["global_step"] >= length.steps:
        return True
    if early_stopping is None:
        return False
    stopping = state.get("stateful_callbacks", {}).get("EarlyStoppingCallback", {})
    return bool(stopping.get("attributes", {}).get("early_stopping_patience_counter", 0) >= early_stopping)
