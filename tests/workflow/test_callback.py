"""A callback sees each step, evaluation and checkpoint; it changes no number; where it fails the run can go on."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import TrainerCallback

from tests.workflow.conftest import small_recipe
from tiebreak.errors import InputError, Interrupted, RunError, TiebreakError
from tiebreak.workflow.callback import Callback, Event, check_callbacks
from tiebreak.workflow.train import resume, train

Told = list[tuple[str, int]]


class Notes(Callback):
    """Writes down what it is told, and does something then."""

    def __init__(self, act: Any = None) -> None:
        self.told: Told = []
        self.events: list[Event] = []
        self.act = act or (lambda _method, _event: None)

    def _note(self, method: str, event: Event) -> None:
        self.told.append((method, event.step))
        self.events.append(event)
        self.act(method, event)

    def on_step(self, event: Event) -> None:
        self._note("step", event)

    def on_evaluation(self, event: Event) -> None:
        self._note("evaluation", event)

    def on_save(self, event: Event) -> None:
        self._note("save", event)


WHOLE: Told = [
    *(("step", 1), ("step", 2), ("evaluation", 2), ("save", 2)),
    *(("step", 3), ("step", 4), ("evaluation", 4), ("save", 4)),
]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[bytes, list[dict[str, Any]]]:
    """Weights and metrics of a run that nobody watches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIEBREAK_CACHE", str(cache))
        return _outcome(train(small_recipe(), out=tmp_path_factory.mktemp("plain") / "run").path)


@pytest.fixture(autouse=True)
def _cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(cache))


def _outcome(path: Path) -> tuple[bytes, list[dict[str, Any]]]:
    from tiebreak.runs.metrics_file import read_metrics

    clock = ("seconds", "eval_runtime", "eval_samples_per_second", "eval_steps_per_second")
    rows = [{name: value for name, value in row.items() if name not in clock} for row in _read(read_metrics, path)]
    return (path / "model" / "model.safetensors").read_bytes(), rows


def _read(read: Any, path: Path) -> list[dict[str, Any]]:
    return list(read(path / "metrics.jsonl"))


def test_each_moment_is_told_once_and_in_order_also_of_steps_without_a_log(tmp_path: Path) -> None:
    notes = Notes()
    train(small_recipe(train__log_every=3), out=tmp_path / "run", callbacks=[notes])
    assert notes.told == WHOLE
    steps = {event.step: event for (method, _), event in zip(notes.told, notes.events, strict=True) if method == "step"}
    assert "loss" in steps[2].metrics  # a checkpoint is always logged
    evaluated = notes.events[2]
    assert {"eval_loss", "eval_rewards/accuracies"} <= evaluated.metrics.keys()
    assert (evaluated.steps, evaluated.run) == (4, tmp_path / "run")
    with pytest.raises(TypeError):
        evaluated.metrics["eval_loss"] = 0.0  # type: ignore[index]
    assert notes.events[3].checkpoint == tmp_path / "run" / "checkpoints" / "checkpoint-2"


def test_no_callback_changes_a_number(tmp_path: Path, outcome: tuple[bytes, list[dict[str, Any]]]) -> None:
    def meddle(_method: str, _event: Event) -> None:
        random.seed(3)
        np.random.seed(3)
        torch.manual_seed(3)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.set_num_threads(torch.get_num_threads() + 1)

    assert _outcome(train(small_recipe(), out=tmp_path / "run", callbacks=[Notes(meddle)]).path) == outcome


@pytest.mark.parametrize(
    ("method", "step", "raised", "kind"),
    [
        ("step", 1, ValueError("boom"), RunError),
        pytest.param("step", 2, Interrupted("Enough."), Interrupted, marks=pytest.mark.journey),
        pytest.param("evaluation", 2, ValueError("boom"), RunError, marks=pytest.mark.journey),
        pytest.param("save", 2, InputError("boom"), RunError, marks=pytest.mark.journey),
        pytest.param("step", 4, ValueError("boom"), RunError, marks=pytest.mark.journey),
        pytest.param("save", 4, Interrupted("Enough."), Interrupted, marks=pytest.mark.journey),
    ],
)
def test_one_that_fails_ends_the_run_after_a_checkpoint_and_the_run_can_go_on(
    method: str,
    step: int,
    raised: Exception,
    kind: type[TiebreakError],
    tmp_path: Path,
    outcome: tuple[bytes, list[dict[str, Any]]],
) -> None:
    def fail(at: str, event: Event) -> None:
        if (at, event.step) == (method, step):
            raise raised

    notes, later = Notes(fail), Notes()
    with pytest.raises(kind) as error:
        train(small_recipe(train__log_every=3), out=tmp_path / "run", callbacks=[notes, later])
    shown = str(error.value)
    assert f"step {step} of 4" in shown
    assert "resume" in shown
    assert str(raised) in shown
    assert notes.told[-1] == (method, step)  # nobody is called after it
    assert later.told == notes.told[:-1]
    assert (tmp_path / "run" / "checkpoints" / f"checkpoint-{step}").is_dir()
    after = Notes()
    run = resume(tmp_path / "run", callbacks=[after])
    assert _outcome(run.path)[0] == outcome[0]
    assert [at for at in after.told if at[0] == "step"] == [("step", s) for s in range(step + 1, 5)]
    recorded = run.folder.load_manifest()
    assert (recorded.status, recorded.resumed) == ("finished", 1)


class Mistyped(Callback):
    def on_steps(self, event: Event) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([Mistyped()], "did you mean 'on_step'"),
        ([print], "'print' is not a tiebreak.Callback"),
        ([Notes], r"Notes\(\)"),
        ([TrainerCallback()], "'TrainerCallback' is not a tiebreak.Callback"),
        (Notes(), "put it into a list"),
    ],
)
def test_what_cannot_be_called_is_refused_before_anything_is_done(given: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told):
        check_callbacks(given)
    with pytest.raises(InputError, match=told):
        train(small_recipe(), out=tmp_path / "run", callbacks=given)
    assert not (tmp_path / "run").exists()
