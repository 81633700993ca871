"""Losses that compare the pairs of a step: the result does not depend on how the step is cut."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.architectures import ARCHITECTURES
from tests.training.small import examples_of, preference_trainer, tokenized_pairs
from tiebreak.engine.score import Scorer
from tiebreak.objectives import configured, objective_named, objective_names

BATCH = 6
OF_PAIRS = [name for name in objective_names() if objective_named(name).task == "preference"]
WHOLE = [name for name in OF_PAIRS if objective_named(name).whole_step]


def _step(name: str, budget: int, folder: Path) -> tuple[float, dict[str, torch.Tensor], dict[str, float]]:
    """Loss, gradients and metrics of one step."""
    model = ARCHITECTURES["llama"]()
    trainer = preference_trainer(
        model,
        tokenized_pairs(BATCH),
        folder,
        scorer=Scorer(budget=budget),
        objective=configured(name, {"beta": 0.5} if "beta" in objective_named(name).settings else {}),
        batch_size=BATCH,
    )
    torch.manual_seed(0)
    with torch.no_grad():  # away from the reference, where many gradients vanish
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    examples = [examples_of(trainer)[i] for i in range(BATCH)]
    loss = trainer.training_step(model, {"examples": examples})
    slopes = {path: p.grad.clone() for path, p in model.named_parameters() if p.grad is not None}
    return float(loss), slopes, trainer._means.take()


def test_there_are_such_losses() -> None:
    assert {"aot", "aot_unpaired", "bco_pair", "kto_pair"} <= set(WHOLE)


@pytest.mark.parametrize("name", OF_PAIRS)
def test_the_split_into_micro_batches_does_not_matter(name: str, tmp_path: Path) -> None:
    whole, slopes, metrics = _step(name, 10_000, tmp_path / "one")
    for number, budget in enumerate((1, 60)):
        loss, others, theirs = _step(name, budget, tmp_path / str(number))
        assert loss == pytest.approx(whole, rel=1e-5, abs=1e-6)
        assert theirs == pytest.approx(metrics, rel=1e-4, abs=1e-5)
        norm = torch.stack([slope.norm() for slope in slopes.values()]).norm()
        apart = torch.stack([(others[path] - slope).norm() for path, slope in slopes.items()]).norm()
        assert apart <= 1e-5 * norm


def test_a_held_out_loss_is_of_all_pairs_whatever_the_budget(tmp_path: Path) -> None:
    found = []
    for budget in (1, 10_000):
        model = ARCHITECTURES["llama"]()
        trainer = preference_trainer(
            model,
            tokenized_pairs(4),
            tmp_path / str(budget),
            held_out=tokenized_pairs(9, seed=3),
            scorer=Scorer(budget=budget),
            objective=configured("aot", {"beta": 0.5}),
        )
        torch.manual_seed(0)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        found.append(trainer.measure())
    assert found[0] == pytest.approx(found[1], rel=1e-5, abs=1e-6)
