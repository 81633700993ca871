"""Settings in shares and epochs become steps and the Trainer's arguments; what cannot work is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainingArguments

from tiebreak.errors import InputError
from tiebreak.metrics import keeps_best
from tiebreak.recipe import TrainSection
from tiebreak.tasks import TASKS
from tiebreak.training.arguments import Length, every, is_complete, length_of, pairs_a_step, training_arguments

LENGTH = Length(steps=20, steps_an_epoch=8)


def arguments(folder: Path, *, held_out: bool = True, length: Length = LENGTH, **train: Any) -> TrainingArguments:
    section = TrainSection(**{"learning_rate": 1e-6, **train})
    return training_arguments(section, length, output=folder, device="cpu", held_out=held_out)


@pytest.mark.parametrize(
    ("settings", "examples", "steps", "an_epoch"),
    [
        ({}, 10, 3, 3),  # a last, smaller batch is a step too
        ({}, 8, 2, 2),
        ({"epochs": 2}, 10, 6, 3),
        ({"epochs": 0.5}, 10, 2, 3),
        ({"epochs": 0.01}, 10, 1, 3),
        ({"max_steps": 2}, 10, 2, 3),
        ({"max_steps": 50, "epochs": 0.5}, 10, 50, 3),
        ({"gradient_accumulation": 2}, 10, 2, 2),
        ({}, 1, 1, 1),
    ],
)
def test_the_steps_of_a_run(settings: dict[str, Any], examples: int, steps: int, an_epoch: int) -> None:
    assert length_of(TrainSection(batch_size=4, **settings), examples) == Length(steps, an_epoch)


def test_examples_a_step_are_batch_size_times_accumulation() -> None:
    assert pairs_a_step(TrainSection(batch_size=4, gradient_accumulation=3)) == 12


@pytest.mark.parametrize(
    ("setting", "steps"), [(None, None), ("epoch", 8), (0.1, 2), (0.26, 5), (0.001, 1), (1, 1), (7, 7), (100, 100)]
)
def test_every_so_many_steps(setting: str | int | float | None, steps: int | None) -> None:
    assert every(setting, LENGTH) == steps


def test_settings_reach_the_trainer_in_steps(tmp_path: Path) -> None:
    made = arguments(tmp_path, eval_every=0.25, save_every="epoch", batch_size=4, gradient_accumulation=2)
    assert (made.eval_steps, made.save_steps, made.max_steps) == (5, 8, 20)
    assert made.per_device_train_batch_size == made.per_device_eval_batch_size == 8
    assert made.gradient_accumulation_steps == 1  # a step is split by tokens, not by examples


def test_null_is_only_at_the_end(tmp_path: Path) -> None:
    made = arguments(tmp_path, eval_every=None, save_every=None)
    assert (made.eval_steps, made.save_steps) == (20, 20)


@pytest.mark.parametrize(("ratio", "steps", "warmup"), [(0.1, 20, 2), (0.12, 20, 3), (0.0, 20, 0), (0.9, 1, 0)])
def test_the_warm_up_leaves_a_step_to_learn_in(ratio: float, steps: int, warmup: int, tmp_path: Path) -> None:
    length = Length(steps, steps)
    assert arguments(tmp_path, warmup_ratio=ratio, length=length).warmup_steps == warmup


@pytest.mark.parametrize(
    ("metric", "greater"),
    [("eval_loss", False), ("eval_rewards/accuracies", True), ("eval_rewards/margins", True)],
)
def test_the_best_model_is_the_one_with_the_better_value(metric: str, greater: bool, tmp_path: Path) -> None:
    made = arguments(tmp_path, keep_best=metric)
    assert (made.metric_for_best_model, made.greater_is_better) == (metric, greater)


def test_without_held_out_data_nothing_is_evaluated_and_the_last_model_is_kept(tmp_path: Path) -> None:
    made = arguments(tmp_path, held_out=False, keep_best="eval_loss")
    assert made.eval_strategy == "no"
    assert made.metric_for_best_model is None
    assert arguments(tmp_path, keep_best=None).metric_for_best_model is None


def test_a_metric_that_there_is_not_is_refused_with_the_nearest_or_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no metric 'eval_los'") as refused:
        arguments(tmp_path, keep_best="eval_los")
    assert (refused.value.where, refused.value.fix) == ("train.keep_best", "did you mean 'eval_loss'?")
    with pytest.raises(InputError) as refused:
        arguments(tmp_path, keep_best="wit")
    assert refused.value.fix == f"there are: {', '.join(keeps_best(TASKS['preference']))}"


def test_a_metric_of_another_task_is_refused(tmp_path: Path) -> None:
    section = TrainSection(learning_rate=1e-6, keep_best="eval_rewards/accuracies")
    for task in ("unpaired", "supervised"):
        with pytest.raises(InputError, match="no metric 'eval_rewards/accuracies'"):
            training_arguments(section, LENGTH, output=tmp_path, device="cpu", held_out=True, task=TASKS[task])


def test_early_stopping_needs_something_to_watch(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing is held out") as refused:
        arguments(tmp_path, held_out=False, early_stopping=2)
    assert refused.value.where == "train.early_stopping"
    assert arguments(tmp_path, early_stopping=2).metric_for_best_model == "eval_loss"


@pytest.mark.parametrize(
    ("step", "counter", "early_stopping", "complete"),
    [
        (20, 0, None, True),
        (19, 0, None, False),
        (8, 3, 3, True),
        (8, 2, 3, False),
        (8, 3, None, False),
        (8, None, 3, False),
        (20, 0, 3, True),
    ],
)
def test_a_checkpoint_ends_a_run_at_its_last_step_or_where_it_stopped_early(
    step: int, counter: int | None, early_stopping: int | None, complete: bool, tmp_path: Path
) -> None:
    state: dict[str, Any] = {"global_step": step}
    if counter is not None:
        attributes = {"early_stopping_patience_counter": counter}
        state["stateful_callbacks"] = {"EarlyStoppingCallback": {"attributes": attributes}}
    (tmp_path / "trainer_state.json").write_text(json.dumps(state))
    assert is_complete(tmp_path, LENGTH, early_stopping) is complete
