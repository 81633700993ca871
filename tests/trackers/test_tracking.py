"""A run is shown in every tracker under the names of metrics.jsonl, and no tracker can harm it."""

from __future__ import annotations

import fcntl
import json
import math
import os
import socket
import sqlite3
import struct
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from tests.architectures import ARCHITECTURES
from tests.training.small import preference_trainer, tokenized_pairs, weights_of
from tiebreak.recipe import Recipe, parse_recipe
from tiebreak.runs.manifest import Manifest
from tiebreak.runs.metrics_file import append_metrics, cut_metrics, read_metrics
from tiebreak.trackers.registry import TRACKERS
from tiebreak.trackers.tracking import Tracking, open_tracking
from tiebreak.training.callbacks import LogBeforeSaving, MetricsFile

pytestmark = pytest.mark.journey  # each of these is a run, or a server that is asked many times

NAMES = tuple(TRACKERS)
KEY = "0123456789abcdef0123456789abcdef01234567"
SETTINGS: dict[str, Any] = {
    "max_steps": 6,
    "batch_size": 4,
    "learning_rate": 1e-3,
    "eval_every": 2,
    "save_every": 2,
    "log_every": 1,
}
# What a session takes is measured again when its steps are.
OF_THE_CLOCK = ("seconds", "eval_runtime", "eval_samples_per_second", "eval_steps_per_second")
RECIPE = parse_recipe({"model": "small", "train": {"learning_rate": 1e-3}, "track": list(NAMES)}, where="a test")
MANIFEST = Manifest(
    before={"eval_loss": 0.69, "eval_rewards/margins": None},
    after={"eval_loss": 0.5, "eval_rewards/accuracies": 0.75},
)
SAMPLES: list[dict[str, Any]] = [
    {
        "prompt": [{"role": "user", "content": "Which | is\nbest?"}],
        "chosen": "The first.",
        "rejected": "None.",
        "before": "No <idea>.",
        "after": "The first one.",
        "before_passed": False,
        "after_passed": True,
    },
    {
        "prompt": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi!"}],
        "chosen": "a",
        "rejected": None,
        "before": "b",
        "after": "c",
        "before_passed": None,
        "after_passed": None,
    },
]
REPORT = "<h1>report</h1>"


def _unheard(line: str) -> None:
    """Where nobody reads what is said."""


class _Crash(RuntimeError):
    pass


class _CrashAt(TrainerCallback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            raise _Crash


@dataclass(frozen=True)
class Tracked:
    """A run that crashed after step 5, was resumed from step 4 and finished, and what it said."""

    run: Path
    home: Path
    said: list[str]
    after_crash: dict[str, Any]
    weights: dict[str, torch.Tensor]

    def folder(self, tracker: str) -> Path:
        return self.run / "trackers" / tracker

    def id(self, tracker: str) -> str:
        return str(json.loads((self.folder(tracker) / "run.json").read_text())["id"])


def _own_home(patch: pytest.MonkeyPatch, home: Path) -> None:
    """No tracker finds an account, a setting or a folder of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith(("WANDB_", "TRACKIO_", "MLFLOW_", "TENSORBOARD_")):
            patch.delenv(name)
    patch.setenv("HOME", str(home))
    for name in ("CACHE", "CONFIG", "DATA", "STATE"):
        patch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    patch.setenv("NETRC", str(home / "netrc"))
    patch.setenv("HF_HOME", str(home / "hf"))
    patch.delenv("HF_TOKEN", raising=False)
    home.mkdir(parents=True, exist_ok=True)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _own_home(monkeypatch, tmp_path / "home")


def _train(run: Path, tracking: Tracking, *more: TrainerCallback, resume: str | None = None) -> dict[str, torch.Tensor]:
    model = ARCHITECTURES["gpt2"]()
    held_out = tokenized_pairs(6, seed=1)
    trainer = preference_trainer(model, tokenized_pairs(24), run / "checkpoints", held_out=held_out, **SETTINGS)
    metrics = MetricsFile(lambda row: append_metrics(run / "metrics.jsonl", row))
    for callback in (LogBeforeSaving(), metrics, *tracking.callbacks, *more):
        trainer.add_callback(callback)
    trainer.train(resume_from_checkpoint=resume)
    return weights_of(model)


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracked]:
    base = tmp_path_factory.mktemp("tracked")
    run, home, said = base / "my-run", base / "home", list[str]()
    run.mkdir()
    (run / "report.html").write_text(REPORT)
    with pytest.MonkeyPatch.context() as patch:
        _own_home(patch, home)
        patch.setenv("WANDB_API_KEY", KEY)
        patch.setenv("HF_TOKEN", f"hf_{KEY}")
        patch.setenv("WANDB_MODE", "offline")
        with pytest.raises(_Crash), open_tracking(NAMES, folder=run, recipe=RECIPE, say=said.append) as tracking:
            _train(run, tracking, _CrashAt(5))
        after_crash = {"mlflow": _mlflow(run).get_run(_id_of(run, "mlflow")).info.status}
        for name in ("WANDB_API_KEY", "HF_TOKEN", "WANDB_MODE"):  # not logged in, and nothing said about it
            patch.delenv(name)
        cut_metrics(run / "metrics.jsonl", 4)
        with open_tracking(NAMES, folder=run, recipe=RECIPE, say=said.append) as tracking:
            weights = _train(run, tracking, resume=str(run / "checkpoints" / "checkpoint-4"))
            tracking.finished(MANIFEST, SAMPLES, run / "report.html")
        yield Tracked(run, home, said, after_crash, weights)


def _id_of(run: Path, tracker: str) -> str:
    return str(json.loads((run / "trackers" / tracker / "run.json").read_text())["id"])


# What each tracker has stored, read back with its own means: metric -> [(step, value), …].

Points = dict[str, list[tuple[int, float]]]


def _wandb_records(run: Path) -> list[list[Any]]:
    """The records of each session; the files are those of LevelDB's log, with a header of seven bytes."""
    record_of = import_module("wandb.proto.wandb_internal_pb2").Record.FromString  # the package has no types

    sessions = []
    for file in sorted((run / "trackers" / "wandb").glob("offline-run-*/run-*.wandb"), key=lambda f: f.stat().st_mtime):
        data, at, whole, records = file.read_bytes(), 7, b"", []
        while at + 7 <= len(data):
            if 32768 - at % 32768 < 7:
                at += 32768 - at % 32768
                continue
            _, length, kind = struct.unpack("<IHB", data[at : at + 7])
            whole += data[at + 7 : at + 7 + length]
            at += 7 + length
            if kind in (1, 4):  # a whole record, or the last part of one
                records.append(record_of(whole))
                whole = b""
        sessions.append(records)
    return sessions


def _nested(items: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in items:
        *path, name = item.nested_key or [item.key]
        part = found
        for key in path:
            part = part.setdefault(key, {})
        part[name] = json.loads(item.value_json)
    return found


def _wandb_rows(run: Path) -> list[dict[str, Any]]:
    return [
        _nested(record.history.item)
        for session in _wandb_records(run)
        for record in session
        if record.WhichOneof("record_type") == "history"
    ]


def _wandb_points(run: Path) -> Points:
    points: Points = defaultdict(list)
    for row in _wandb_rows(run):
        for name, value in row.items():
            if not name.startswith("_") and name not in ("step", "samples"):
                points[name].append((row["step"], float(value)))
    return points


def _trackio(run: Path, ask: str) -> Any:
    """Ask Trackio, which takes its folder from the environment once a process."""
    code = f"import json; from trackio.sqlite_storage import SQLiteStorage as S; print('\\n' + json.dumps({ask}))"
    environment = {**os.environ, "TRACKIO_DIR": str(run / "trackers" / "trackio")}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return json.loads(found.stdout.splitlines()[-1])


def _trackio_points(run: Path) -> Points:
    points: Points = defaultdict(list)
    for row in _trackio(run, f"S.get_logs('tiebreak', {run.name!r})"):
        for name, value in row.items():
            if name not in ("step", "timestamp", "samples"):
                points[name].append((row["step"], float(value)))
    return points


def _tensorboard(run: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "trackers" / "tensorboard"), size_guidance={"scalars": 0})
    return events.Reload()


def _tensorboard_points(run: Path) -> Points:
    events = _tensorboard(run)
    return {name: [(e.step, e.value) for e in events.Scalars(name)] for name in events.Tags()["scalars"]}


def _mlflow(run: Path) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{run / 'trackers' / 'mlflow' / 'mlflow.db'}")


def _mlflow_points(run: Path) -> Points:
    client, run_id = _mlflow(run), _id_of(run, "mlflow")
    names = client.get_run(run_id).data.metrics
    return {name: [(m.step, m.value) for m in client.get_metric_history(run_id, name)] for name in names}


POINTS: dict[str, Callable[[Path], Points]] = {
    "wandb": _wandb_points,
    "trackio": _trackio_points,
    "tensorboard": _tensorboard_points,
    "mlflow": _mlflow_points,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_tracker_has_the_names_and_values_of_the_metrics_file_each_once(name: str, tracked: Tracked) -> None:
    expected: Points = defaultdict(list)
    for row in read_metrics(tracked.run / "metrics.jsonl"):
        for metric, value in row.items():
            if metric != "step":
                expected[metric].append((row["step"], value))
    assert {"loss", "eval_loss", "rewards/chosen", "eval_rewards/accuracies"} <= expected.keys()
    found = POINTS[name](tracked.run)
    assert {metric for metric in found if not metric.startswith(("before/", "after/"))} == expected.keys()
    for metric, points in expected.items():
        assert [step for step, _ in found[metric]] == [step for step, _ in points], metric
        if metric not in OF_THE_CLOCK:
            assert [v for _, v in found[metric]] == pytest.approx([v for _, v in points], rel=1e-6), metric


def test_trackers_do_not_change_the_weights(tracked: Tracked, tmp_path: Path) -> None:
    alone = _train(tmp_path, Tracking())
    assert all(torch.equal(alone[name], tracked.weights[name]) for name in alone)


@pytest.mark.parametrize("name", ["trackio", "tensorboard", "mlflow"])
def test_the_final_metrics_stand_apart_from_the_held_out_curves(name: str, tracked: Tracked) -> None:
    found = POINTS[name](tracked.run)
    assert "before/eval_rewards/margins" not in found  # it was not finite
    for metric, value in (("before/eval_loss", 0.69), ("after/eval_rewards/accuracies", 0.75)):
        ((step, last),) = found[metric]
        assert step == 6
        assert last == pytest.approx(value)


def test_wandb_has_recipe_metrics_samples_and_report_in_two_sessions_of_one_run(tracked: Tracked) -> None:
    sessions = _wandb_records(tracked.run)
    assert len(sessions) == 2
    runs = [next(r.run for r in records if r.WhichOneof("record_type") == "run") for records in sessions]
    assert {(run.run_id, run.display_name, run.project) for run in runs} == {
        (tracked.id("wandb"), "my-run", "tiebreak")
    }
    config = {item.key: json.loads(item.value_json) for item in runs[0].config.update}
    assert config["train"]["learning_rate"] == 1e-3
    assert config["objective"]["name"] == "sigmoid"
    ends = [r.exit.exit_code for records in sessions for r in records if r.WhichOneof("record_type") == "exit"]
    assert ends == [1, 0]

    summary: dict[str, Any] = {}
    for record in sessions[1]:
        if record.WhichOneof("record_type") == "summary":
            summary |= _nested(record.summary.update)
    assert summary["after/eval_rewards/accuracies"] == 0.75

    media = next(row["samples"] for row in _wandb_rows(tracked.run) if "samples" in row)
    assert media["_type"] == "table-file"
    table = json.loads(next(tracked.folder("wandb").glob(f"offline-run-*/files/{media['path']}")).read_text())
    assert table["columns"][:2] == ["prompt", "chosen"]
    assert [row[4] for row in table["data"]] == ["The first one.", "c"]

    artifacts = [r.artifact for r in sessions[1] if r.WhichOneof("record_type") == "artifact"]
    report = next(artifact for artifact in artifacts if artifact.type == "report")
    staged = Path(report.manifest.contents[0].local_path)
    assert report.manifest.contents[0].path == "report.html"
    assert staged.read_text() == REPORT
    assert staged.is_relative_to(tracked.run), "what is synced later lies in the run folder"


def test_trackio_has_recipe_samples_and_report_in_one_run(tracked: Tracked) -> None:
    assert [r["id"] for r in _trackio(tracked.run, "S.get_run_records('tiebreak')")] == [tracked.id("trackio")]
    config = _trackio(tracked.run, "S.get_run_config('tiebreak', 'my-run')")
    assert config["train.learning_rate"] == 1e-3
    assert config["objective.name"] == "sigmoid"
    rows = _trackio(tracked.run, "S.get_logs('tiebreak', 'my-run')")
    (table,) = [row["samples"] for row in rows if "samples" in row]
    assert [row["after"] for row in table["_value"]] == ["The first one.", "c"]
    (artifact,) = _trackio(tracked.run, "S.get_artifacts('tiebreak')")
    assert (artifact["type"], artifact["size_bytes"]) == ("report", len(REPORT))


def test_tensorboard_has_recipe_and_samples(tracked: Tracked) -> None:
    from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG, parse_session_start_info_plugin_data

    events = _tensorboard(tracked.run)
    start = events.SummaryMetadata(SESSION_START_INFO_TAG).plugin_data.content
    settings = parse_session_start_info_plugin_data(start).hparams
    assert settings["train.learning_rate"].number_value == 1e-3
    assert settings["objective.name"].string_value == "sigmoid"
    assert RECIPE.to_yaml() in events.Tensors("recipe")[0].tensor_proto.string_val[0].decode()
    table = events.Tensors("samples")[0].tensor_proto.string_val[0].decode().splitlines()
    assert table[2].startswith("| Which \\| is<br>best? | The first. | None. | No &lt;idea>. |")
    assert len(table) == 4, "a heading and a line for each sample, whatever is in them"


def test_mlflow_has_recipe_samples_and_report_in_one_run(tracked: Tracked, tmp_path: Path) -> None:
    client = _mlflow(tracked.run)
    experiment = client.get_experiment_by_name("tiebreak")
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_id, run.info.run_name) == (tracked.id("mlflow"), "my-run")
    assert tracked.after_crash["mlflow"] == "FAILED"
    assert run.info.status == "FINISHED"
    assert run.data.params["train.learning_rate"] == "0.001"
    assert {a.path for a in client.list_artifacts(run.info.run_id)} == {"recipe.yaml", "report.html", "samples.json"}
    samples = json.loads(Path(client.download_artifacts(run.info.run_id, "samples.json", str(tmp_path))).read_text())
    assert [row[samples["columns"].index("after")] for row in samples["data"]] == ["The first one.", "c"]


def test_the_user_learns_where_each_tracker_shows_the_run_and_nothing_else(tracked: Tracked) -> None:
    assert sorted(line.split(":")[0] for line in tracked.said) == sorted(2 * [f"track   {name}" for name in NAMES])
    assert all("trackers" in line for line in tracked.said)


def test_what_trackers_write_lies_in_the_run_folder_and_holds_no_token(tracked: Tracked) -> None:
    files = [path for path in tracked.run.rglob("*") if path.is_file()]
    assert {path.relative_to(tracked.run).parts[1] for path in files if "trackers" in path.parts} == set(NAMES)
    for path in [*files, *(path for path in tracked.home.rglob("*") if path.is_file())]:
        assert KEY.encode() not in path.read_bytes(), path
    assert not [path for path in tracked.home.rglob("*") if path.is_file()]


# One that fails.


def _send(tracking: Tracking, steps: int, loss: float = 0.5) -> None:
    for step in range(1, steps + 1):
        for callback in tracking.callbacks:
            callback.append({"step": step, "loss": loss})  # type: ignore[attr-defined]


def test_a_tracker_that_cannot_write_is_said_once_and_the_run_goes_on(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "trackers").write_text("in the way")
    with open_tracking(["tensorboard"], folder=tmp_path, recipe=Recipe(), say=said.append) as tracking:
        _train(tmp_path, tracking)
        tracking.finished(MANIFEST, SAMPLES, tmp_path / "report.html")
    assert len(said) == 1
    assert said[0].startswith("track   tensorboard failed and is left alone; metrics.jsonl has everything")
    assert read_metrics(tmp_path / "metrics.jsonl")[-1]["step"] == 6


def test_what_trackio_only_warns_of_is_said_too(tmp_path: Path) -> None:
    said: list[str] = []
    database = tmp_path / "trackers" / "trackio" / "tiebreak.db"
    database.mkdir(parents=True)
    with open_tracking(["trackio"], folder=tmp_path, recipe=Recipe(), say=said.append) as tracking:
        _send(tracking, 3)
    assert [line.split(" (")[0] for line in said if "failed" in line] == [
        "track   trackio failed and is left alone; metrics.jsonl has everything"
    ]


def test_a_server_that_refuses_is_said_once_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somebody:open-sesame@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with open_tracking(["mlflow"], folder=tmp_path, recipe=Recipe(), say=said.append) as tracking:
        _send(tracking, 3)
    assert len(said) == 1
    assert "127.0.0.1" in said[0]
    assert "open-sesame" not in said[0]


def test_a_server_that_never_answers_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "600")
        tracking = open_tracking(["mlflow"], folder=tmp_path, recipe=Recipe(), say=said.append, patience=0.5)
        with tracking:
            _send(tracking, 2000)  # more than a pipe holds
            silent.settimeout(60)
            connection, _ = silent.accept()
        connection.close()
    process = tracking.trackers[0].process
    assert process is not None
    assert process.returncode == -9
    assert len(said) == 1
    assert "it was not done 0 seconds after the run" in said[0]


def test_a_client_that_is_killed_is_said_once(tmp_path: Path) -> None:
    said: list[str] = []
    with open_tracking(["tensorboard"], folder=tmp_path, recipe=Recipe(), say=said.append) as tracking:
        _send(tracking, 1)
        process = tracking.trackers[0].process
        assert process is not None
        process.kill()
        _send(tracking, 3)
    assert len([line for line in said if "its process ended with code -9" in line]) == 1


def test_ctrl_c_closes_the_trackers_and_passes(tmp_path: Path) -> None:
    def interrupted() -> None:
        with open_tracking(["tensorboard"], folder=tmp_path, recipe=Recipe(), say=_unheard) as tracking:
            _send(tracking, 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert _tensorboard_points(tmp_path)["loss"] == [(1, 0.5), (2, 0.5)]


def test_what_was_sent_before_a_kill_of_the_run_is_kept(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from tiebreak.recipe import Recipe;"
        "from tiebreak.trackers.tracking import open_tracking;"
        "t = open_tracking(['tensorboard'], folder=Path(sys.argv[1]), recipe=Recipe(), say=print);"
        "[c.append({'step': 1, 'loss': 0.5}) for c in t.callbacks];"
        "import time; time.sleep(0.5); print(t.trackers[0].process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{killed.stdout.split()[-1]}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _tensorboard_points(tmp_path)["loss"] == [(1, 0.5)]


def test_a_session_waits_for_the_one_before_to_have_sent_everything(tmp_path: Path) -> None:
    folder = tmp_path / "trackers" / "tensorboard"
    folder.mkdir(parents=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tracking = open_tracking(["tensorboard"], folder=tmp_path, recipe=Recipe(), say=_unheard)
        _send(tracking, 1)
        time.sleep(1.5)
        assert not (folder / "run.json").exists()
    tracking.close(failed=False)
    assert _tensorboard_points(tmp_path)["loss"] == [(1, 0.5)]


# From run to run.


def test_runs_of_one_process_share_nothing(tmp_path: Path) -> None:
    before = dict(os.environ)
    for name, loss in (("a", 0.25), ("b", 0.75)):
        with open_tracking(["trackio"], folder=tmp_path / name, recipe=Recipe(), say=_unheard) as tracking:
            _send(tracking, 1, loss)
    assert dict(os.environ) == before
    for name, loss in (("a", 0.25), ("b", 0.75)):
        assert _trackio_points(tmp_path / name) == {"loss": [(1, loss)]}
        with sqlite3.connect(tmp_path / name / "trackers" / "trackio" / "tiebreak.db") as database:
            assert database.execute("select distinct run_name from metrics").fetchall() == [(name,)]


def test_the_tracker_s_own_variables_decide_where_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'shared.db'}")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "ours")
    monkeypatch.chdir(tmp_path)
    with open_tracking(["tensorboard", "mlflow"], folder=tmp_path / "r", recipe=Recipe(), say=_unheard) as tracking:
        _send(tracking, 1)
    assert list((tmp_path / "elsewhere" / "r").glob("events.out.tfevents.*"))
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'shared.db'}")
    experiment = client.get_experiment_by_name("ours")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert [run.info.run_name for run in runs] == ["r"]


def test_numbers_that_are_not_finite_are_passed_on(tmp_path: Path) -> None:
    with open_tracking(["tensorboard"], folder=tmp_path, recipe=Recipe(), say=_unheard) as tracking:
        _send(tracking, 1, math.nan)
        _send(tracking, 1, torch.tensor(0.5))  # type: ignore[arg-type]
    (_, first), (_, second) = _tensorboard_points(tmp_path)["loss"]
    assert math.isnan(first)
    assert second == 0.5


def test_a_run_that_never_began_leaves_no_trace(tmp_path: Path) -> None:
    with open_tracking(NAMES, folder=tmp_path / "run", recipe=Recipe(), say=_unheard) as tracking:
        assert len(tracking.callbacks) == len(NAMES)
    assert not (tmp_path / "run").exists()


def test_no_tracker_is_the_default_and_does_nothing(tmp_path: Path) -> None:
    with open_tracking(Recipe().track, folder=tmp_path, recipe=Recipe(), say=_unheard) as tracking:
        assert tracking.callbacks == []
        tracking.finished(MANIFEST, SAMPLES, tmp_path / "report.html")
    assert not list(tmp_path.glob("trackers"))
