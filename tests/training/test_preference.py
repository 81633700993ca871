"""Pairs: chosen and rejected are told apart, weighed, and compared with the reference that was scored for them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.architectures import ARCHITECTURES
from tests.training.small import preference_trainer, scores_of, tokenized_pairs
from tiebreak.engine.batch import group_of
from tiebreak.engine.layout import build_tree
from tiebreak.objectives import configured
from tiebreak.training.examples import Example
from tiebreak.training.preference import PreferenceTrainer


def trainer_of(folder: Path, **settings: Any) -> PreferenceTrainer:
    return preference_trainer(ARCHITECTURES["gpt2"](), tokenized_pairs(4), folder, batch_size=2, **settings)


def example(weight: float = 1.0, reference: tuple[float, ...] = ()) -> Example:
    return Example(group_of([3, 4], [[5, 6], [7]]), weight, reference)


def sigmoid_loss(margin: float) -> float:
    return math.log1p(math.exp(-margin))


def test_completions_alternate_and_each_pair_has_its_weight(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path, beta=0.5)
    reference = torch.tensor([[-3.0, -3.0], [-1.0, -5.0]])
    losses, metrics = trainer.loss_of(scores_of(-1.0, -2.0, -4.0, -3.0), [example(), example(0.25)], reference)
    # Log-ratios: (2, 1), (-3, 2).
    assert losses.tolist() == pytest.approx([sigmoid_loss(0.5), 0.25 * sigmoid_loss(-2.5)])
    assert metrics["rewards/margins"].tolist() == pytest.approx([0.5, -2.5])
    assert metrics["rewards/accuracies"].tolist() == [1.0, 0.0]
    assert metrics["logits/chosen"].tolist() == [0.0, 2.0]
    assert metrics["logits/rejected"].tolist() == [1.0, 3.0]


def test_wpo_weighs_a_pair_by_what_the_policy_finds_likely(tmp_path: Path) -> None:
    trainer, reference = trainer_of(tmp_path), torch.zeros(1, 2)
    plain, _ = trainer.loss_of(scores_of(-1.0, -2.0), [example()], reference)
    sure = replace(scores_of(-1.0, -2.0), confidence=torch.tensor([-0.25, -0.5]))
    weighed, _ = trainer.loss_of(sure, [example()], reference)
    assert weighed.item() == pytest.approx(math.exp(-0.75) * plain.item())


def test_the_reference_s_log_probs_come_with_the_examples(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path)
    examples = [example(reference=(-1.0, -2.0)), example(reference=(-3.0, -4.0))]
    found = trainer.reference_logps(build_tree([each.group for each in examples]), examples)
    assert found is not None
    assert found.tolist() == [[-1.0, -2.0], [-3.0, -4.0]]


def test_a_completion_without_a_reference_is_no_zero(tmp_path: Path) -> None:
    examples = [example(reference=(-1.0, -2.0)), example()]
    with pytest.raises(ValueError, match="no reference log-prob"):
        trainer_of(tmp_path).reference_logps(build_tree([each.group for each in examples]), examples)


def test_an_objective_without_a_reference_is_given_none(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path, objective=configured("simpo", {}))
    examples = [example(reference=(-1.0, -2.0))]
    assert trainer.reference_logps(build_tree([examples[0].group]), examples) is None
    losses, metrics = trainer.loss_of(scores_of(-4.0, -8.0), examples, None)
    assert losses.shape == (1,)
    assert metrics["rewards/chosen"].item() > metrics["rewards/rejected"].item()


def test_a_pair_counts_once_whatever_it_weighs(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path)
    assert trainer.counts(example()) == trainer.counts(example(0.1)) == 1.0
    assert trainer.whole_step is False
    assert trainer_of(tmp_path, objective=configured("aot", {})).whole_step is True
