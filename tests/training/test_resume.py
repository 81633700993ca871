"""A run is a function of recipe and data: cut off anywhere and resumed, its weights are the same to the bit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from tests.architectures import ARCHITECTURES
from tests.training.small import preference_trainer, tokenized_pairs, weights_of
from tiebreak.errors import InputError, RunError
from tiebreak.training.checkpoints import remove_partial

SETTINGS = {
    "epochs": 2,
    "batch_size": 4,
    "learning_rate": 1e-3,
    "eval_every": 3,
    "save_every": 3,
    "keep_checkpoints": 10,
    "log_every": 2,
}


def _equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_resuming_from_any_checkpoint_gives_the_same_weights(tmp_path: Path) -> None:
    pairs, held_out = tokenized_pairs(30), tokenized_pairs(8, seed=1)
    whole = ARCHITECTURES["qwen2"]()
    trainer = preference_trainer(whole, pairs, tmp_path / "whole", held_out=held_out, **SETTINGS)
    trainer.train()
    final = weights_of(type(whole).from_pretrained(tmp_path / "whole" / "checkpoint-16"))
    steps = sorted(int(path.name.split("-")[1]) for path in (tmp_path / "whole").glob("checkpoint-*"))
    assert steps[0] == 3
    assert trainer.state.max_steps == 16
    for step in steps[:-1]:
        model = ARCHITECTURES["qwen2"]()
        folder = tmp_path / f"from-{step}"
        shutil.copytree(tmp_path / "whole" / f"checkpoint-{step}", folder / f"checkpoint-{step}")
        again = preference_trainer(model, pairs, folder, held_out=held_out, **{**SETTINGS, "keep_best": None})
        again.train(resume_from_checkpoint=str(folder / f"checkpoint-{step}"))
        assert _equal(weights_of(model), final), f"resumed from step {step}"


def test_the_same_recipe_gives_the_same_weights_twice(tmp_path: Path) -> None:
    pairs = tokenized_pairs(16)
    found = []
    for attempt in ("a", "b"):
        model = ARCHITECTURES["gpt2"]()
        preference_trainer(model, pairs, tmp_path / attempt, max_steps=6, batch_size=4, learning_rate=1e-3).train()
        found.append(weights_of(model))
    assert _equal(*found)


def test_a_checkpoint_that_cannot_be_written_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ARCHITECTURES["gpt2"]()
    trainer = preference_trainer(model, tokenized_pairs(8), tmp_path, batch_size=2, save_every=2, max_steps=4)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trainer, "_save_optimizer_and_scheduler", full)
    with pytest.raises(RunError, match="No space left") as caught:
        trainer.train()
    assert "--resume" in str(caught.value)
    assert not list(tmp_path.glob("checkpoint-*"))
    assert not (tmp_path / ".partial").exists()


def test_what_a_killed_write_left_behind_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".partial" / "checkpoint-3").mkdir(parents=True)
    remove_partial(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_pairs(tmp_path: Path) -> None:
    model = ARCHITECTURES["gpt2"]()
    trainer = preference_trainer(model, tokenized_pairs(8), tmp_path, batch_size=2, max_steps=4, shuffle=False)
    reference = trainer.train_dataset.reference.logp
    reference[3, 0] = float("nan")
    with pytest.raises(RunError, match="not finite at step 2") as caught:
        trainer.train()
    assert caught.value.where == "row 3 of the training data"


def test_the_best_model_is_kept_however_rarely_checkpoints_are_due(tmp_path: Path) -> None:
    pairs, held_out = tokenized_pairs(12), tokenized_pairs(6, seed=1)
    model = ARCHITECTURES["gpt2"]()
    settings = {"max_steps": 10, "batch_size": 4, "learning_rate": 0.2, "eval_every": 1, "save_every": 10}
    trainer = preference_trainer(model, pairs, tmp_path, held_out=held_out, log_every=1, **settings)
    trainer.train()
    losses = {row["step"]: row["eval_loss"] for row in trainer.state.log_history if "eval_loss" in row}
    best = min(losses, key=lambda step: losses[step])
    assert best < 10, "the model should get worse again for this test to say something"
    assert trainer.load_best() == best
    assert trainer.measure()["eval_loss"] == pytest.approx(losses[best], rel=1e-6)


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


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"keep_best": "eval_los"}, "did you mean 'eval_loss'?"),
        ({"early_stopping": 2}, "nothing is held out"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_runs(
    settings: dict[str, object], says: str, tmp_path: Path
) -> None:
    held_out = tokenized_pairs(4) if "keep_best" in settings else None
    with pytest.raises(InputError) as caught:
        preference_trainer(ARCHITECTURES["gpt2"](), tokenized_pairs(4), tmp_path, held_out=held_out, **settings)
    assert says in str(caught.value)
