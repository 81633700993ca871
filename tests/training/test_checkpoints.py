"""A run is a function of recipe and data: cut off anywhere and resumed, its weights are the same to the bit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments, trainer_utils

from tests.architectures import ARCHITECTURES
from tests.training.small import preference_trainer, tokenized_pairs, weights_of
from tiebreak.engine.logprobs import unwrapped
from tiebreak.errors import RunError
from tiebreak.training import checkpoints
from tiebreak.training.checkpoints import remove_partial
from tiebreak.training.preference import PreferenceTrainer

SETTINGS: dict[str, Any] = {
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


def test_the_best_model_is_kept_however_rarely_checkpoints_are_due(tmp_path: Path) -> None:
    pairs, held_out = tokenized_pairs(12), tokenized_pairs(6, seed=1)
    model = ARCHITECTURES["gpt2"]()
    settings: dict[str, Any] = {
        "max_steps": 10,
        "batch_size": 4,
        "learning_rate": 0.2,
        "eval_every": 1,
        "save_every": 10,
    }
    trainer = preference_trainer(model, pairs, tmp_path, held_out=held_out, log_every=1, **settings)
    trainer.train()
    losses = {row["step"]: row["eval_loss"] for row in trainer.state.log_history if "eval_loss" in row}
    best = min(losses, key=lambda step: losses[step])
    assert best < 10, "the model should get worse again for this test to say something"
    assert trainer.load_best() == best
    assert trainer.measure()["eval_loss"] == pytest.approx(losses[best], rel=1e-6)


@pytest.mark.parametrize("best", [True, False])
@pytest.mark.parametrize("keep", [1, 2, 3])
def test_as_many_checkpoints_are_kept_as_asked_for_and_the_best_weights_in_any_case(
    keep: int, best: bool, tmp_path: Path
) -> None:
    pairs, held_out = tokenized_pairs(12), tokenized_pairs(6, seed=1)
    settings: dict[str, Any] = {
        "max_steps": 10,
        "batch_size": 4,
        "learning_rate": 0.2,
        "eval_every": 1,
        "save_every": 1,
        "log_every": 1,
        "keep_checkpoints": keep,
        "keep_best": "eval_loss" if best else None,
    }
    trainer = preference_trainer(ARCHITECTURES["gpt2"](), pairs, tmp_path, held_out=held_out, **settings)
    trainer.train()
    assert len(list(tmp_path.glob("checkpoint-*"))) == keep
    assert (tmp_path / "checkpoint-10" / "optimizer.pt").is_file()  # it can be gone on with
    losses = {row["step"]: row["eval_loss"] for row in trainer.state.log_history if "eval_loss" in row}
    step = min(losses, key=lambda each: losses[each]) if best else 10
    assert step < 10 or not best, "the model should get worse again for this test to say something"
    assert trainer.load_best() == step
    assert trainer.measure()["eval_loss"] == pytest.approx(losses[step], rel=1e-6)


def test_one_checkpoint_alone_is_gone_on_with_and_still_has_the_best(tmp_path: Path) -> None:
    pairs, held_out = tokenized_pairs(12), tokenized_pairs(6, seed=1)
    settings: dict[str, Any] = {
        "max_steps": 10,
        "batch_size": 4,
        "learning_rate": 0.2,
        "eval_every": 1,
        "save_every": 1,
        "log_every": 1,
        "keep_checkpoints": 1,
    }

    def trained(folder: Path, start: Path | None = None, stop: int | None = None) -> PreferenceTrainer:
        trainer = preference_trainer(ARCHITECTURES["gpt2"](), pairs, folder, held_out=held_out, **settings)
        if stop is not None:
            trainer.add_callback(_StopAt(stop))
        trainer.train(resume_from_checkpoint=str(start) if start else None)
        return trainer

    whole = trained(tmp_path / "whole")
    folder = tmp_path / "parts"
    trained(folder, stop=8)
    (left,) = folder.glob("checkpoint-*")
    assert left.name == "checkpoint-8"
    assert (left / "best" / "model.safetensors").is_file()
    assert not (left / "best" / "optimizer.pt").exists()
    again = trained(folder, left)
    assert again.load_best() == whole.load_best() < 8
    mine, theirs = unwrapped(again.model_wrapped), unwrapped(whole.model_wrapped)
    assert _equal(weights_of(mine), weights_of(theirs))


def test_the_new_checkpoint_is_whole_before_the_old_one_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever removes finds the new one in its place with all its files."""
    seen = []
    remove = trainer_utils.rotate_checkpoints

    def watched(folder: str, **settings: Any) -> None:
        found = sorted(Path(folder).glob("checkpoint-*"))
        seen.append((len(found), all((path / "trainer_state.json").is_file() for path in found)))
        remove(folder, **settings)

    monkeypatch.setattr(checkpoints, "rotate_checkpoints", watched)
    settings: dict[str, Any] = {"max_steps": 3, "batch_size": 4, "save_every": 1, "keep_checkpoints": 1}
    preference_trainer(ARCHITECTURES["gpt2"](), tokenized_pairs(12), tmp_path, **settings).train()
    assert seen == [(1, True), (2, True), (2, True)]


def test_a_checkpoint_that_a_kill_left_too_many_goes_when_the_run_is_gone_on_with(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"max_steps": 2, "batch_size": 4, "save_every": 1, "keep_checkpoints": 2}
    preference_trainer(ARCHITECTURES["gpt2"](), tokenized_pairs(12), tmp_path, **settings).train()
    settings["keep_checkpoints"] = 1
    again = preference_trainer(ARCHITECTURES["gpt2"](), tokenized_pairs(12), tmp_path, **settings)
    again.load_finished(tmp_path / "checkpoint-2")
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-2"]


class _StopAt(TrainerCallback):
    """Ends a run after a step, when it has saved."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        control.should_training_stop = control.should_training_stop or state.global_step >= self.step
