"""A live reference is the cached one computed beside the policy."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from tests.architectures import ARCHITECTURES
from tests.training.small import examples_of, preference_trainer, tokenized_pairs, weights_of
from tiebreak.engine.microbatch import BatchPath
from tiebreak.engine.score import Scorer
from tiebreak.training.examples import Examples
from tiebreak.training.live_reference import ReferenceModel
from tiebreak.training.preference import PreferenceTrainer

STEPS, BATCH = 20, 4


def _trainer(
    model: PreTrainedModel,
    folder: Path,
    *,
    live: bool,
    path: BatchPath = "tree",
    autocast: torch.dtype | None = None,
    steps: int = STEPS,
) -> PreferenceTrainer:
    trainer = preference_trainer(
        model,
        tokenized_pairs(STEPS * BATCH),
        folder,
        held_out=tokenized_pairs(6, seed=1),
        scorer=Scorer(path, autocast, budget=90),
        max_steps=steps,
        batch_size=BATCH,
        learning_rate=1e-3,
        shuffle=False,
        log_every=1,
        save_every=None,
        eval_every=None,
        keep_best=None,
    )
    if live:
        assert isinstance(trainer.train_dataset, Examples)
        trainer.train_dataset = Examples(trainer.train_dataset.groups)  # forgets the reference's log-probs
        trainer.reference = ReferenceModel(copy.deepcopy(model).requires_grad_(False), trainer.scorer)
    return trainer


def _comparable(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """The weights, but for the biases of keys: their gradient is zero but for rounding, which Adam makes large."""
    weights = {name: weight for name, weight in weights_of(model).items() if not name.endswith("k_proj.bias")}
    for name in [name for name in weights if name.endswith("c_attn.bias")]:
        query, _, value = weights.pop(name).chunk(3)
        weights |= {f"{name} of queries": query, f"{name} of values": value}
    return weights


@pytest.mark.parametrize("name", ["gpt2", "qwen2"])
@pytest.mark.parametrize("path", ["tree", "padded"])
def test_twenty_steps_with_a_live_reference_equal_those_with_a_cached_one(
    name: str, path: BatchPath, tmp_path: Path
) -> None:
    model = ARCHITECTURES[name]()
    ours, theirs = copy.deepcopy(model), copy.deepcopy(model)
    live = _trainer(ours, tmp_path / "live", live=True, path=path)
    cached = _trainer(theirs, tmp_path / "cached", live=False, path=path)
    live.train()
    cached.train()

    live_log, cached_log = ([row for row in t.state.log_history if "loss" in row] for t in (live, cached))
    assert len(live_log) == len(cached_log) == STEPS
    for found, expected in zip(live_log, cached_log, strict=True):
        assert found["loss"] == pytest.approx(expected["loss"], abs=1e-5)
        assert found["rewards/margins"] == pytest.approx(expected["rewards/margins"], abs=1e-4)
    assert max(abs(row["rewards/margins"]) for row in live_log) > 0.05  # far enough for this to mean something
    found_weights, expected_weights = _comparable(ours), _comparable(theirs)
    for key, weight in expected_weights.items():
        torch.testing.assert_close(found_weights[key], weight, rtol=0, atol=1e-6, msg=f"{key} differs")


@pytest.mark.parametrize("autocast", [None, torch.bfloat16])
def test_the_reference_stays_as_it_is(autocast: torch.dtype | None, tmp_path: Path) -> None:
    model = ARCHITECTURES["qwen2"]()
    before = weights_of(model)
    trainer = _trainer(model, tmp_path, live=True, autocast=autocast, steps=3)
    trainer.train()
    assert isinstance(trainer.reference, ReferenceModel)
    reference = trainer.reference.model
    for name, weight in weights_of(reference).items():
        assert torch.equal(weight, before[name]), name
    assert all(parameter.grad is None for parameter in reference.parameters())
    assert any(not torch.equal(weight, before[name]) for name, weight in weights_of(model).items())


def test_the_first_loss_is_that_of_a_policy_equal_to_its_reference(tmp_path: Path) -> None:
    trainer = _trainer(ARCHITECTURES["qwen2"](), tmp_path, live=True, steps=1)
    trainer.train()
    first = next(row for row in trainer.state.log_history if "loss" in row)
    assert first["loss"] == pytest.approx(0.693147, abs=1e-5)
    assert first["rewards/margins"] == pytest.approx(0, abs=1e-5)


def test_a_live_reference_is_paid_for_in_operations(tmp_path: Path) -> None:
    model = ARCHITECTURES["qwen2"]()
    costs = []
    for live in (True, False):
        trainer = _trainer(copy.deepcopy(model), tmp_path / str(live), live=live, steps=1)
        examples = [examples_of(trainer)[i] for i in range(BATCH)]
        assert trainer.model is not None
        trainer.training_step(trainer.model, {"examples": examples})
        costs.append(trainer.operations)
    assert costs[0] * 3 == costs[1] * 4  # forward and backward are three passes; the reference is a fourth


def test_a_pair_without_known_log_probs_needs_a_live_reference(tmp_path: Path) -> None:
    trainer = _trainer(ARCHITECTURES["qwen2"](), tmp_path, live=True)
    trainer.reference = None
    with pytest.raises(ValueError, match="no reference log-prob"):
        trainer.train()


def test_held_out_pairs_are_measured_against_a_live_reference_too(tmp_path: Path) -> None:
    trainer = _trainer(ARCHITECTURES["qwen2"](), tmp_path, live=True, steps=3)
    trainer.train()
    expected = trainer.measure()
    assert isinstance(trainer.eval_dataset, Examples)
    trainer.eval_dataset = Examples(trainer.eval_dataset.groups)
    assert trainer.measure() == pytest.approx(expected, abs=1e-4)
