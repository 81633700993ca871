"""The trainer of a run: of its task, with what it needs, and with everything that watches it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from transformers import EarlyStoppingCallback, TrainerCallback

from tests.workflow.conftest import small_recipe
from tiebreak.engine.router_loss import RouterLoss
from tiebreak.errors import InputError
from tiebreak.runs import RunFolder
from tiebreak.training.callbacks import LogBeforeSaving, MetricsFile, ProgressLine
from tiebreak.training.preference import PreferenceTrainer
from tiebreak.training.supervised import SupervisedTrainer
from tiebreak.training.unpaired import UnpairedTrainer
from tiebreak.workflow import messages
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.resolve import resolve
from tiebreak.workflow.train import ReadyRun, make_ready


def ready(tmp_path: Path, *callbacks: TrainerCallback, said: io.StringIO | None = None, **changes: Any) -> ReadyRun:
    settings = {"data__limit": 8, "data__eval_limit": 4, "train__tokens_per_microbatch": 512, **changes}
    recipe = small_recipe(**settings)
    console = Console(file=said or io.StringIO(), width=200)
    folder = RunFolder.create(recipe, tmp_path / "run")
    return make_ready(folder, resolve(recipe), Progress(console), callbacks=callbacks)


@pytest.mark.parametrize(
    ("objective", "kind"),
    [("sigmoid", PreferenceTrainer), ("kto", UnpairedTrainer), ("supervised", SupervisedTrainer)],
)
def test_a_task_has_its_trainer(objective: str, kind: type, tmp_path: Path) -> None:
    run = ready(tmp_path, objective__name=objective)
    assert type(run.trainer) is kind
    assert run.trainer.scorer == run.plan.scorer
    assert run.trainer.args.output_dir == str(tmp_path / "run" / "checkpoints")


def test_the_caller_s_callbacks_come_before_the_run_s_own(tmp_path: Path) -> None:
    class Mine(TrainerCallback):
        pass

    run = ready(tmp_path, Mine(), train__early_stopping=2, train__keep_best="eval_loss")
    kinds = [type(each) for each in run.trainer.callback_handler.callbacks]
    own = [Mine, LogBeforeSaving, MetricsFile, ProgressLine, EarlyStoppingCallback]
    assert [kind for kind in kinds if kind in own] == own


def test_without_early_stopping_nothing_stops_early(tmp_path: Path) -> None:
    kinds = {type(each) for each in ready(tmp_path).trainer.callback_handler.callbacks}
    assert EarlyStoppingCallback not in kinds


def test_a_smaller_budget_is_recorded_and_said_once(tmp_path: Path) -> None:
    said = io.StringIO()
    run = ready(tmp_path, said=said)
    for budget in (256, 128):
        run.trainer.on_smaller_budget(budget)
    assert said.getvalue().count(messages.SMALLER_BUDGET) == 1
    assert RunFolder(tmp_path / "run").load_manifest().tokens_per_microbatch == 128


def test_what_the_trainer_cannot_do_is_refused_before_the_reference_is_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a reference was scored")

    monkeypatch.setattr("tiebreak.workflow.train.prepare_reference", never)
    with pytest.raises(InputError, match="no metric 'eval_rewards/accuracies'"):
        ready(tmp_path, objective__name="kto", train__keep_best="eval_rewards/accuracies")


@pytest.mark.parametrize(
    ("found", "setting", "router", "sentence"),
    [
        (RouterLoss(0.02, 2), "auto", RouterLoss(0.02, 2), "its router loss is added, times 0.02"),
        (RouterLoss(0.02, 2), "off", None, None),
        (ValueError("Doge computes it in a way of its own"), "auto", None, "not added: Doge computes it in a way"),
        (None, "auto", None, None),
    ],
)
def test_a_router_loss_is_added_and_said(
    found: RouterLoss | ValueError | None,
    setting: str,
    router: RouterLoss | None,
    sentence: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def router_loss_of(_: object) -> RouterLoss | None:
        if isinstance(found, ValueError):
            raise found
        return found

    monkeypatch.setattr("tiebreak.workflow.trainer.router_loss_of", router_loss_of)
    said = io.StringIO()
    assert ready(tmp_path, said=said, train__router_loss=setting).trainer.router == router
    assert ("router loss" in said.getvalue()) == (sentence is not None)
    assert sentence is None or sentence in said.getvalue()
