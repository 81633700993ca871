"""From a recipe's training section to the Trainer's arguments."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from tiebreak.errors import InputError
from tiebreak.recipe import TrainSection


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
    train: TrainSection, length: Length, *, output: Path, device: str, held_out: bool
) -> TrainingArguments:
    """The Trainer's arguments.

    Args:
        train: the recipe's section.
        length: of the run.
        output: folder of the checkpoints.
        device: `cpu` or `cuda`.
        held_out: whether there is held-out data; without it nothing is evaluated and the last model is kept.
    Raises:
        InputError: the best model is to be kept, but not every save comes with an evaluation.
    """
    eval_steps = every(train.eval_every, length) if held_out else None
    save_steps = every(train.save_every, length)
    best = train.keep_best if held_out else None
    if best and eval_steps and save_steps and save_steps % eval_steps:
        raise InputError(
            f"Saving every {save_steps} steps and evaluating every {eval_steps} leaves checkpoints without a "
            f"{best} to compare.",
            where="train.save_every, train.eval_every, train.keep_best",
            fix="make save_every a multiple of eval_every, or set keep_best to null",
        )
    keeps_best = bool(best and eval_steps and save_steps)
    return TrainingArguments(
        output_dir=str(output),
        per_device_train_batch_size=pairs_a_step(train),
        per_device_eval_batch_size=pairs_a_step(train),
        num_train_epochs=train.epochs,
        max_steps=length.steps,
        learning_rate=train.learning_rate,
        lr_scheduler_type=train.schedule,
        warmup_steps=math.ceil(train.warmup_ratio * length.steps),
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
        eval_strategy="steps" if eval_steps else "no",
        eval_steps=eval_steps,
        save_strategy="steps" if save_steps else "no",
        save_steps=save_steps or length.steps,
        save_total_limit=train.keep_checkpoints,
        load_best_model_at_end=keeps_best,
        metric_for_best_model=best if keeps_best else None,
        greater_is_better=not best.endswith("loss") if best and keeps_best else None,
        restore_callback_states_from_checkpoint=True,
        use_cpu=device == "cpu",
        remove_unused_columns=False,
        report_to=[],
        disable_tqdm=True,
        log_level="error",
    )


def is_complete(checkpoint: Path, length: Length, early_stopping: int | None) -> bool:
    """Whether a checkpoint is the end of its run: its last step, or where early stopping ended it."""
    state: dict[str, Any] = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    if state["global_step"] >= length.steps:
        return True
    if early_stopping is None:
        return False
    stopping = state.get("stateful_callbacks", {}).get("EarlyStoppingCallback", {})
    return bool(stopping.get("attributes", {}).get("early_stopping_patience_counter", 0) >= early_stopping)
