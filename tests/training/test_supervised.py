"""Demonstrations: the loss is nats a token over all completion tokens of a step, not a mean over examples."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from datasets import Dataset
from transformers import PreTrainedModel

from tests.architectures import ARCHITECTURES
from tests.engine.groups import plain_logps
from tests.training.small import scores_of, word_tokenizer
from tiebreak.engine.batch import group_of
from tiebreak.engine.score import Scorer
from tiebreak.recipe import TrainSection
from tiebreak.tasks import TASKS
from tiebreak.training.arguments import length_of, training_arguments
from tiebreak.training.examples import Example, Examples, Groups
from tiebreak.training.supervised import SupervisedTrainer

PROMPTS = [[3, 4, 5], [6, 7], [8]]
COMPLETIONS = [[9, 2], [10, 11, 12, 13, 2], [14, 15, 2]]


@pytest.fixture
def trainer(tmp_path: Path) -> SupervisedTrainer:
    rows = zip(PROMPTS, COMPLETIONS, strict=True)
    dataset = Dataset.from_list(
        [{"prompt_ids": p, "completion_ids": c, "weight": 1.0, "row": i} for i, (p, c) in enumerate(rows)]
    )
    section = TrainSection(learning_rate=1e-3, batch_size=3)
    return SupervisedTrainer(
        ARCHITECTURES["gpt2"](),
        training_arguments(section, length_of(section, 3), output=tmp_path, device="cpu", held_out=False),
        scorer=Scorer(),
        train=Examples(Groups(dataset, TASKS["supervised"])),
        held_out=None,
        tokenizer=word_tokenizer(),
    )


def test_the_loss_of_a_step_is_nats_a_token(trainer: SupervisedTrainer) -> None:
    examples = trainer.train_dataset
    assert isinstance(examples, Examples)
    step = [examples[i] for i in range(3)]
    model = trainer.model
    assert isinstance(model, PreTrainedModel)
    with torch.no_grad():
        expected = -plain_logps(model, [each.group for each in step]).sum() / sum(map(len, COMPLETIONS))
    assert trainer.training_step(model, {"examples": step}).item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_demonstration_counts_its_completion_s_tokens(trainer: SupervisedTrainer) -> None:
    short, long = Example(group_of([3, 4, 5], [[6]]), 1.0), Example(group_of([3], [[6, 7, 8, 2]]), 0.5)
    assert (trainer.counts(short), trainer.counts(long)) == (1.0, 4.0)


def test_a_weight_scales_the_loss_and_there_is_nothing_to_compare_with(trainer: SupervisedTrainer) -> None:
    group = group_of([3], [[4, 2]])
    losses, metrics = trainer.loss_of(scores_of(-2.0, -3.0), [Example(group, 1.0), Example(group, 0.5)], None)
    assert losses.tolist() == [2.0, 1.5]
    assert metrics == {}
