"""Each held-out example has its own log-probs and rewards, whatever order they were scored in."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.architectures import ARCHITECTURES
from tests.training.small import preference_trainer, tokenized_pairs
from tiebreak.engine.batch import group_of
from tiebreak.training.evaluation import Evaluated, unseen
from tiebreak.training.examples import Example


def test_log_probs_stand_in_the_order_of_the_rows() -> None:
    seen = [Example(group_of([1], [[2], [3]], row), 1.0) for row in (7, 2, 5)]
    rewards = {"rewards/chosen": torch.tensor([0.5, 1.0, 2.0]), "rewards/rejected": torch.tensor([-0.5, 0.0, 4.0])}
    logps = torch.tensor([-1.0, -2.0, -3.0, -4.0, -5.0, -6.0])
    found = Evaluated.of(seen, logps, rewards)
    assert found.logps == ((-3.0, -4.0), (-5.0, -6.0), (-1.0, -2.0))
    assert found.rewards == ((1.0, 0.0), (2.0, 4.0), (0.5, -0.5))
    assert Evaluated.of(seen, logps, {}).rewards is None


def test_an_evaluation_that_nobody_watches_goes_its_way() -> None:
    with unseen(3) as update:
        update(1)


def test_a_trainer_keeps_what_it_measured_of_each_pair_and_is_watched(tmp_path: Path) -> None:
    held_out = tokenized_pairs(9, seed=1)
    trainer = preference_trainer(ARCHITECTURES["gpt2"](), tokenized_pairs(4), tmp_path, held_out=held_out)
    metrics = trainer.measure()
    assert trainer.evaluated is not None
    logps = torch.tensor(trainer.evaluated.logps)
    assert logps.shape == (9, 2)
    assert logps[:, 0].mean().item() == pytest.approx(metrics["eval_logps/chosen"], rel=1e-5)
    assert (logps[:, 0] > logps[:, 1]).float().mean().item() == pytest.approx(metrics["eval_logps/accuracies"])
    assert trainer.evaluated.rewards is not None
    rewards = torch.tensor(trainer.evaluated.rewards)
    assert rewards.mean(dim=0).tolist() == pytest.approx(
        [metrics["eval_rewards/chosen"], metrics["eval_rewards/rejected"]], rel=1e-5, abs=1e-7
    )
