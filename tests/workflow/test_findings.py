"""Findings where they are due: before the first step, where a stop refuses the run, and once while it trains."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from transformers import TrainerControl, TrainerState, TrainingArguments
from typer.testing import CliRunner

import tiebreak
from tests.workflow.conftest import SMALL, small_recipe
from tiebreak.cli.main import app
from tiebreak.doctor.finding import Finding
from tiebreak.errors import InputError
from tiebreak.runs import RunFolder
from tiebreak.workflow import findings as module
from tiebreak.workflow.check import check_run
from tiebreak.workflow.findings import SayFindings, say_before_training
from tiebreak.workflow.progress import Progress

NOTE = Finding("a-note", "note", "worth knowing", (), "It means this. And that.", "A paper.", "possible")
WARNING = replace(NOTE, name="a-warning", severity="warning", title="probably wrong")
STOP = replace(
    NOTE, name="a-stop", severity="stop", title="hopeless", change={"train.epochs": "1"}, advice=("Look at it.",)
)


def _reversed(path: Path) -> str:
    """Pairs whose better scores stand under `rejected`."""
    rows = [
        {
            "prompt": f"What is {number}?",
            "chosen": f"It is {number}.",
            "rejected": f"It may be {number}.",
            "score_chosen": 1.0,
            "score_rejected": 9.0,
        }
        for number in range(60)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


class Lines:
    """What was said, line by line."""

    def __init__(self) -> None:
        self.file = io.StringIO()
        self.progress = Progress(Console(file=self.file, width=400))

    @property
    def said(self) -> list[str]:
        return self.file.getvalue().splitlines()


def test_warnings_are_said_and_notes_are_counted() -> None:
    lines = Lines()
    say_before_training([WARNING, NOTE, NOTE], lines.progress, anyway=False)
    assert lines.said == ["warning a-warning: probably wrong", "doctor  2 notes on data and settings: see the report"]


def test_a_stop_refuses_with_what_to_do_unless_it_is_wanted_anyway() -> None:
    lines = Lines()
    with pytest.raises(InputError) as refused:
        say_before_training([STOP], lines.progress, anyway=False)
    assert "hopeless" in refused.value.what
    assert refused.value.fix == "set train.epochs=1; Look at it; or train all the same with --anyway"
    say_before_training([STOP], lines.progress, anyway=True)
    assert lines.said == ["stop a-stop: hopeless"] * 2


def test_reversed_pairs_stop_train_and_leave_nothing(tmp_path: Path) -> None:
    data, out = _reversed(tmp_path / "prefs.jsonl"), tmp_path / "run"
    settings = {**SMALL, "data.source": data, "data.limit": None}
    with pytest.raises(InputError, match="the better scores stand on the rejected side"):
        tiebreak.train({}, settings=settings, out=out)
    assert not out.exists()
    flags = [f"--set={key}={json.dumps(value)}" for key, value in settings.items()]
    done = CliRunner().invoke(app, ["train", "--out", str(out), *flags])
    assert isinstance(done.exception, InputError)
    assert "--anyway" in str(done.exception.fix)
    run = tiebreak.train({}, settings=settings, out=out, anyway=True)
    manifest = run.folder.load_manifest()
    assert manifest.status == "finished"
    assert "reversed-columns" in (run.folder.model / "README.md").read_text()
    assert "reversed-columns" in run.folder.report_path.read_text()
    shown = CliRunner().invoke(app, ["runs", "show", str(out)]).output
    assert "stop reversed-columns" in shown


def test_a_check_says_the_same(tmp_path: Path) -> None:
    settings = {**SMALL, "data.source": _reversed(tmp_path / "prefs.jsonl"), "data.limit": None}
    found = check_run(small_recipe().with_settings(settings), tmp_path / "run")
    assert found.findings[0].name == "reversed-columns"
    assert ("stop: reversed-columns", "the better scores stand on the rejected side") in found.rows()
    assert found.to_json()["findings"][0]["severity"] == "stop"
    flags = [f"--set={key}={json.dumps(value)}" for key, value in settings.items()]
    assert CliRunner().invoke(app, ["train", "--check", *flags]).exit_code == 2
    assert CliRunner().invoke(app, ["train", "--check", "--anyway", *flags]).exit_code == 0


def test_a_run_that_goes_on_is_not_asked_again(tmp_path: Path) -> None:
    settings = {**SMALL, "data.source": _reversed(tmp_path / "prefs.jsonl"), "data.limit": None}
    folder = RunFolder.create(small_recipe().with_settings(settings), tmp_path / "run")
    assert tiebreak.resume(folder.path).folder.load_manifest().status == "finished"


@pytest.mark.journey
@pytest.mark.parametrize("seed", range(10))
def test_a_sound_run_has_no_warning(tmp_path: Path, seed: int) -> None:
    lines = Lines()
    recipe = small_recipe(
        data__limit=256,
        data__eval_limit=200,
        data__max_length=256,
        train__seed=seed,
        train__max_steps=12,
        train__learning_rate=1e-4,
    )
    run = tiebreak.train(recipe, out=tmp_path / "run", progress=lines.progress)
    assert [line for line in lines.said if line.startswith(("warning", "stop"))] == []
    assert "| warning" not in (run.folder.model / "README.md").read_text()


def test_while_it_trains_each_warning_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder.create(small_recipe(), tmp_path / "run")
    lines = Lines()
    found: list[Finding] = []
    monkeypatch.setattr(module, "run_findings", lambda *_: tuple(found))
    monkeypatch.setattr(module, "_REST", 0)
    saying = SayFindings(folder, ["known"], lines.progress)
    nothing: Any = None

    def evaluated() -> None:
        saying.on_evaluate(nothing, TrainerState(), TrainerControl())

    evaluated()
    found += [NOTE, WARNING, replace(WARNING, name="known")]
    evaluated()
    assert lines.said == []  # one look may be noise
    evaluated()
    evaluated()
    assert lines.said == ["warning a-warning: probably wrong"]
    found.append(STOP)
    evaluated()
    assert lines.said[1:] == ["stop a-stop: hopeless"]
    assert folder.load_manifest().said == ("a-warning", "a-stop")
    saying = SayFindings(folder, ["known"], lines.progress)  # as when the run goes on
    evaluated()
    evaluated()
    assert len(lines.said) == 2


def test_looks_at_a_long_log_take_a_hundredth_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, now, looks = RunFolder.create(small_recipe(), tmp_path / "run"), [0.0], [0]

    def slow(*_: object) -> tuple[Finding, ...]:
        looks[0] += 1
        now[0] += 1.0
        return ()

    monkeypatch.setattr(module, "run_findings", slow)
    monkeypatch.setattr("tiebreak.workflow.findings.time.monotonic", lambda: now[0])
    saying = SayFindings(folder, [], Progress())
    nothing: Any = None
    for _ in range(1000):
        now[0] += 1.0
        saying.on_evaluate(nothing, TrainerState(), TrainerControl())
    assert 10 <= looks[0] <= 11


@pytest.mark.parametrize(("held_out", "looks"), [("no", 2), ("steps", 0)])
def test_where_nothing_is_held_out_each_log_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_out: str, looks: int
) -> None:
    folder, seen = RunFolder.create(small_recipe(), tmp_path / "run"), [0]

    def look(*_: object) -> tuple[Finding, ...]:
        seen[0] += 1
        return ()

    monkeypatch.setattr(module, "run_findings", look)
    monkeypatch.setattr(module, "_REST", 0)
    saying = SayFindings(folder, [], Progress())
    arguments = TrainingArguments(str(tmp_path), eval_strategy=held_out, eval_steps=1)
    for _ in range(2):
        saying.on_log(arguments, TrainerState(), TrainerControl())
    assert seen[0] == looks
