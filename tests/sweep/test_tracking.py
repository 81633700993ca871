"""The runs of a search are a group in every tracker, and the search is a run of its own with its trials and report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import tiebreak
from tests.sweep.made import MadeUp, begun, searched
from tests.trackers.test_tracking import (
    NAMES,
    _mlflow,
    _nested,
    _own_home,
    _tensorboard_points,
    _trackio,
    _wandb_records,
)
from tiebreak.sweep.study import Trial
from tiebreak.sweep.tracking import group_of, track_search
from tiebreak.trackers import tracking


def test_a_search_is_sent_once_all_its_trials_have_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = searched({"objective.beta": [0.1, 0.2]}, {"track": ["mlflow"]})
    plan, folder = begun(tmp_path, recipe)
    sent: list[Any] = []

    class Recorded(tracking.TrackerProcess):
        def _send(self, message: Any) -> None:
            sent.append((self.settings, message))

    monkeypatch.setattr(tracking, "TrackerProcess", Recorded)
    ended = Trial(0, {"objective.beta": 0.1}, "finished", (0.5,), ((0.5,),))
    failed = Trial(1, {"objective.beta": 0.2}, "failed", reason="it diverged")
    track_search(plan, folder, [ended, Trial(1, {"objective.beta": 0.2}, "running")], print)
    assert not sent  # another worker is still at it
    track_search(plan, folder, [ended, failed], print)
    settings = sent[0][0]
    assert (settings["run"], settings["group"]) == ("search", "search")
    assert settings["folder"] == settings["home"] == str(folder.path / "trackers" / "mlflow")
    assert settings["members"] == [str(folder.path / "trials" / f"000{n}" / "trackers" / "mlflow") for n in range(2)]
    assert [message for _, message in sent[:2]] == [
        {"log": {"step": 0, "eval_loss": 0.5, "objective.beta": 0.1}},
        {
            "finished": {
                "metrics": {"best/eval_loss": 0.5},
                "steps": 2,
                "samples": [],
                "report": str(folder.report_path),
            }
        },
    ]
    with tracking.open_tracking(
        ["wandb"], folder=folder.run(3, 0, 1).path, recipe=recipe, say=print, group=group_of(folder)
    ) as of_trial:
        assert of_trial.trackers[0].settings["run"] == "search-0003"
        assert of_trial.trackers[0].settings["members"] == []


def test_a_search_that_no_tracker_shows_sends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tiebreak.sweep.trial as module

    monkeypatch.setattr(module, "train_among", MadeUp(lambda recipe: 0.5))
    found = tiebreak.sweep(searched({"objective.beta": [0.1, 0.2]}, {"model": "bundled:base"}), out=tmp_path / "search")
    assert not (found.path / "trackers").exists()


@pytest.mark.journey
def test_every_tracker_shows_the_runs_of_a_search_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _own_home(monkeypatch, tmp_path / "home")
    settings: dict[str, Any] = {
        "train.max_steps": 2,
        "train.eval_every": 1,
        "data.limit": 16,
        "data.eval_limit": 4,
        "evaluate.judge": "none",
        "evaluate.samples": 1,
        "evaluate.max_new_tokens": 4,
        "track": list(NAMES),
    }
    found = tiebreak.sweep("quickstart", over={"objective.beta": [0.1, 0.2]}, settings=settings, out=tmp_path / "first")
    names = {"first", "first-0000", "first-0001"}

    losses = [trial.values["eval_loss"] for trial in found]
    shown: dict[tuple[str, str, str], list[float]] = {}
    for records in _wandb_records(found.path):
        (run,) = {(r.run.display_name, r.run.run_group, r.run.job_type) for r in records if r.run.run_id}
        rows = [_nested(r.history.item) for r in records if r.WhichOneof("record_type") == "history"]
        shown[run] = [row["eval_loss"] for row in rows if "eval_loss" in row]
    assert shown.keys() == {
        ("first", "first", "search"),
        ("first-0000", "first", "trial"),
        ("first-0001", "first", "trial"),
    }
    assert shown["first", "first", "search"] == pytest.approx(losses)

    assert set(_trackio(found.path, "S.get_runs('tiebreak')")) == names
    points = _trackio(found.path, "S.get_logs('tiebreak', 'first')")
    assert [row["eval_loss"] for row in points if "eval_loss" in row] == pytest.approx(losses)

    client = _mlflow(found.path)
    (experiment,) = client.search_experiments(filter_string="name = 'tiebreak'")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert runs.keys() == names
    parent = runs["first"]
    assert [artifact.path for artifact in client.list_artifacts(parent.info.run_id)] == ["recipe.yaml", "report.html"]
    for name in names:
        assert runs[name].data.tags["tiebreak.sweep"] == "first"
        expected = None if name == "first" else parent.info.run_id
        assert runs[name].data.tags.get("mlflow.parentRunId") == expected
    assert client.get_metric_history(parent.info.run_id, "best/eval_loss")[-1].value == pytest.approx(min(losses))

    assert [value for _, value in _tensorboard_points(found.path)["eval_loss"]] == pytest.approx(losses, rel=1e-6)
    for number in range(2):
        assert "eval_loss" in _tensorboard_points(found.path / "trials" / f"000{number}")

    before = json.loads((found.path / "trackers" / "mlflow" / "run.json").read_text())
    tiebreak.sweep("quickstart", over={"objective.beta": [0.1, 0.2]}, settings=settings, out=tmp_path / "first")
    assert json.loads((found.path / "trackers" / "mlflow" / "run.json").read_text()) == before  # sent once
    assert len(client.search_runs([experiment.experiment_id])) == 3
