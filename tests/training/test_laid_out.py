"""Steps that are laid out ahead in a thread are those that are laid out when they are due."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.architectures import ARCHITECTURES
from tests.training.small import preference_trainer, tokenized_pairs, weights_of
from tiebreak.engine.overlap import Ahead
from tiebreak.engine.score import Scorer
from tiebreak.training.preference import PreferenceTrainer


def _trainer(folder: Path, *, ahead: bool) -> PreferenceTrainer:
    trainer = preference_trainer(
        ARCHITECTURES["llama"](),
        tokenized_pairs(16),
        folder,
        scorer=Scorer(budget=60),
        batch_size=4,
        learning_rate=1e-3,
        epochs=2,
    )
    trainer.ahead = Ahead(on=ahead)
    return trainer


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("tiebreak-ahead")]


def test_a_run_is_the_same_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_in: dict[str, set[str]] = {}
    found = {}
    for way in ("ahead", "when due"):
        trainer = _trainer(tmp_path / way, ahead=way == "ahead")
        names = made_in[way] = set()
        laid_out: Any = trainer._laid_out

        def noted(*given: Any, laid_out: Any = laid_out, names: set[str] = names) -> Any:
            names.add(threading.current_thread().name)
            return laid_out(*given)

        monkeypatch.setattr(trainer, "_laid_out", noted)
        trainer.train()
        model: Any = trainer.model
        found[way] = weights_of(model)
        assert not _threads()
    assert made_in["when due"] == {threading.main_thread().name}
    assert all(name.startswith("tiebreak-ahead") for name in made_in["ahead"])
    assert found["ahead"].keys() == found["when due"].keys()
    for name, weight in found["ahead"].items():
        assert torch.equal(weight, found["when due"][name]), name


def test_a_smaller_budget_lays_out_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = _trainer(tmp_path, ahead=True)
    budgets: list[int] = []
    step: Any = trainer._step

    def short(model: Any, examples: Any, laid_out: Any) -> Any:
        budgets.append(laid_out.budget)
        if len(budgets) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return step(model, examples, laid_out)

    monkeypatch.setattr(trainer, "_step", short)
    trainer.train()
    assert budgets[0] == 60
    assert set(budgets[1:]) == {30}


def test_an_error_in_the_thread_ends_the_run_and_the_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = _trainer(tmp_path, ahead=True)

    def fails(*_: Any) -> Any:
        raise ValueError("cannot be laid out")

    monkeypatch.setattr(trainer, "_laid_out", fails)
    with pytest.raises(ValueError, match="cannot be laid out"):
        trainer.train()
    assert not _threads()
