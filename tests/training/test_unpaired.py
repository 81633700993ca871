"""Unpaired completions: each stands before its mismatched one, and good and bad ones are measured apart."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from datasets import Dataset

from tests.architectures import ARCHITECTURES
from tests.training.small import scores_of, word_tokenizer
from tiebreak.engine.batch import group_of
from tiebreak.engine.score import Scorer
from tiebreak.objectives import configured
from tiebreak.recipe import TrainSection
from tiebreak.tasks import TASKS
from tiebreak.training.arguments import length_of, training_arguments
from tiebreak.training.examples import Example, Examples, Groups
from tiebreak.training.unpaired import UnpairedTrainer

ROW = {"prompt_ids": [3, 4], "completion_ids": [5, 2], "mismatched_ids": [6, 2], "weight": 1.0, "row": 0}
GROUP = group_of([3, 4], [[5, 2], [6, 2]])


@pytest.fixture
def trainer(tmp_path: Path) -> UnpairedTrainer:
    section = TrainSection(learning_rate=1e-3, batch_size=2)
    rows = Dataset.from_list([{**ROW, "label": True}, {**ROW, "label": False}])
    return UnpairedTrainer(
        ARCHITECTURES["gpt2"](),
        training_arguments(section, length_of(section, 2), output=tmp_path, device="cpu", held_out=False),
        scorer=Scorer(),
        train=Examples(Groups(rows, TASKS["unpaired"])),
        held_out=None,
        tokenizer=word_tokenizer(),
        objective=configured("kto", {"beta": 0.5}),
    )


def test_the_label_of_a_row_reaches_its_example(trainer: UnpairedTrainer) -> None:
    examples = trainer.train_dataset
    assert isinstance(examples, Examples)
    assert [examples[i].desirable for i in range(2)] == [True, False]
    assert examples[0].group.completions == ((5, 2), (6, 2))


def test_a_completion_is_compared_with_the_divergence_of_the_mismatched_ones(trainer: UnpairedTrainer) -> None:
    examples = [Example(GROUP, 1.0, desirable=True), Example(GROUP, 0.5, desirable=False)]
    # In turn: a completion, its mismatched one. Log-ratios 2 and -1; of the mismatched ones 3 and 1, whose mean is 2.
    policy, reference = scores_of(-1.0, -2.0, -4.0, -3.0), torch.tensor([[-3.0, -5.0], [-3.0, -4.0]])
    losses, metrics = trainer.loss_of(policy, examples, reference)

    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    good, bad = 1 - sigmoid(0.5 * (2 - 2)), 1 - sigmoid(0.5 * (2 + 1))
    assert losses.tolist() == pytest.approx([good, 0.5 * bad])
    assert metrics["rewards/chosen"][0].item() == pytest.approx(1.0)
    assert metrics["rewards/rejected"][1].item() == pytest.approx(-0.5)
    assert metrics["rewards/chosen"].isnan().tolist() == [False, True]
    assert metrics["rewards/rejected"].isnan().tolist() == [True, False]


def test_without_a_reference_there_is_no_loss(trainer: UnpairedTrainer) -> None:
    with pytest.raises(ValueError, match="compared with a reference"):
        trainer.loss_of(scores_of(-1.0, -2.0), [Example(GROUP, 1.0)], None)


def test_the_margin_needs_good_and_bad_ones(trainer: UnpairedTrainer) -> None:
    assert trainer.derived({"rewards/chosen": 1.5, "rewards/rejected": -0.5}) == {"rewards/margins": 2.0}
    assert trainer.derived({"rewards/chosen": 1.5}) == {}
    assert trainer.derived({}) == {}
