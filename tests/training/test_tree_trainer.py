"""Steps: what they learn, what they are not moved by, and how a loss that is not finite ends them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.architectures import ARCHITECTURES
from tests.training.small import examples_of, preference_trainer, tokenized_pairs, weights_of
from tiebreak.engine.batch import Batch
from tiebreak.engine.logprobs import SequenceLogps, sequence_logps
from tiebreak.engine.score import Scorer
from tiebreak.errors import RunError


def _equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_pairs(tmp_path: Path) -> None:
    model = ARCHITECTURES["gpt2"]()
    trainer = preference_trainer(model, tokenized_pairs(8), tmp_path, batch_size=2, max_steps=4, shuffle=False)
    reference = examples_of(trainer).reference
    assert reference is not None
    reference.logp[3, 0] = float("nan")
    with pytest.raises(RunError, match="not finite at step 2") as caught:
        trainer.train()
    assert caught.value.where == "row 3 of the training data"


def test_a_run_of_one_step_learns(tmp_path: Path) -> None:
    model = ARCHITECTURES["gpt2"]()
    before = weights_of(model)
    preference_trainer(model, tokenized_pairs(4), tmp_path, max_steps=1, batch_size=4, learning_rate=1e-3).train()
    assert not _equal(before, weights_of(model))


def test_held_out_metrics_do_not_depend_on_weights(tmp_path: Path) -> None:
    pairs = tokenized_pairs(6)
    light = pairs.map(lambda row: {**row, "weight": 0.25})
    trainer = preference_trainer(ARCHITECTURES["gpt2"](), pairs, tmp_path, held_out=light, max_steps=1)
    assert trainer.measure()["eval_loss"] == pytest.approx(0.6931, abs=1e-3)


def test_the_same_recipe_gives_the_same_weights_twice(tmp_path: Path) -> None:
    pairs = tokenized_pairs(16)
    found = []
    for attempt in ("a", "b"):
        model = ARCHITECTURES["gpt2"]()
        preference_trainer(model, pairs, tmp_path / attempt, max_steps=6, batch_size=4, learning_rate=1e-3).train()
        found.append(weights_of(model))
    assert _equal(*found)


@pytest.mark.parametrize(("budget", "passes"), [(1, 2), (100, 2), (2048, 2), (10_000, 1)])
def test_held_out_pairs_are_scored_in_larger_micro_batches_than_steps_are_made_of(
    budget: int, passes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_out = tokenized_pairs(120, seed=3)  # some 2,400 tokens
    trainer = preference_trainer(
        ARCHITECTURES["gpt2"](),
        tokenized_pairs(6),
        tmp_path,
        held_out=held_out,
        scorer=Scorer(budget=budget),
        max_steps=1,
    )
    sizes = []

    def scored(model: object, batch: Batch, **settings: Any) -> SequenceLogps:
        sizes.append(batch.tokens)
        return sequence_logps(model, batch, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr("tiebreak.training.tree_steps.sequence_logps", scored)
    trainer.measure()
    assert 2048 < sum(sizes) < 4096
    assert len(sizes) == passes
