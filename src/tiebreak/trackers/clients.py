"""The clients of the trackers, all in one form: a run with rows of metrics, final metrics, samples and a report.

Each keeps what it writes in the run folder (the runs of a search in the folder of the search, side by side), works
without a network or an account, and goes on with a run whose id is known; the tracker's own environment variables say
otherwise. Made for a process that has nothing else to do: they set
defaults in its environment.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

PROJECT = "tiebreak"
# Rows of samples.json with the prompt as one text.
Samples = Sequence[Mapping[str, Any]]
COLUMNS = ("prompt", "chosen", "rejected", "before", "after", "before_passed", "after_passed")


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker gets to know of a run.

    Attributes:
        name: of the run folder.
        folder: the tracker's own, there already.
        config: the recipe, nested.
        recipe: the recipe as YAML.
        group: name of the search that it is of, or that it stands for; None is a run by itself.
        home: where the tracker keeps what is on this machine; None is its own folder.
        members: ids in the tracker of the runs of the search that it stands for.
    """

    name: str
    folder: Path
    config: dict[str, Any]
    recipe: str
    group: str | None = None
    home: Path | None = None
    members: tuple[str, ...] = ()

    @property
    def kept(self) -> Path:
        """Where the tracker keeps what is on this machine."""
        return self.home or self.folder


class Client(Protocol):
    """A run in a tracker.

    Attributes:
        id: by which a later session finds the run again.
        where: the run is shown, in words for the user.
    """

    id: str
    where: str

    def log(self, step: int, row: Mapping[str, Any]) -> None:
        """Add a row of metrics.jsonl."""

    def show(self, step: int, metrics: Mapping[str, float], samples: Samples, report_path: Path) -> None:
        """Add the final metrics, the samples as a table, and the report."""

    def close(self, failed: bool) -> None:
        """End the run and send what is left."""


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings under dotted names, `train.learning_rate`."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found


def table_of(samples: Samples) -> list[list[Any]]:
    """Samples as rows of `COLUMNS`."""
    return [[row.get(name) for name in COLUMNS] for row in samples]


def is_number(value: Any) -> bool:
    """Whether a value of a row is a metric."""
    return isinstance(value, int | float) and not isinstance(value, bool)


class Wandb:
    """Weights & Biases: online where the user is logged in, else in files that `wandb sync` sends later."""

    def __init__(self, run: TrackedRun, known: str | None) -> None:
        os.environ.setdefault("WANDB_DIR", str(run.kept.parent))  # wandb adds its own name
        os.environ.setdefault("WANDB_DATA_DIR", str(run.kept / "data"))
        os.environ.setdefault("WANDB_CACHE_DIR", str(run.kept / "cache"))
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        self.wandb = wandb
        self.id = known or secrets.token_hex(4)
        settings: dict[str, Any] = {
            "project": os.environ.get("WANDB_PROJECT", PROJECT),
            "name": run.name,
            "id": self.id,
            "resume": "allow",
            "config": run.config,
            "group": run.group,
            "job_type": None if run.group is None else "search" if run.members else "trial",
            "settings": wandb.Settings(
                silent=True,
                console="off",
                disable_git=True,
                save_code=False,
                init_timeout=30,
                x_stats_pid=os.getppid(),
            ),
        }
        why = "offline"
        try:
            self.run = wandb.init(**settings)
        except wandb.errors.Error as error:  # not logged in, with nobody to ask, or not to be reached
            if "WANDB_MODE" in os.environ:
                raise
            if not isinstance(error, wandb.errors.UsageError):
                why = "cannot be reached; offline"
                wandb.teardown()  # it holds on to the run that it could not begin
            self.run = wandb.init(**settings, mode="offline")
        self.run.define_metric("*", step_metric="step")
        self.where = f"{why}, in {Path(self.run.dir).parent}" if self.run.offline else str(self.run.url)

    def log(self, step: int, row: Mapping[str, Any]) -> None:
        """Add a row."""
        self.run.log(dict(row))

    def show(self, step: int, metrics: Mapping[str, float], samples: Samples, report_path: Path) -> None:
        """Add metrics to the summary, the samples and the report."""
        self.run.summary.update(dict(metrics))
        if samples:
            table = self.wandb.Table(columns=list(COLUMNS), data=table_of(samples), allow_mixed_types=True)
            self.run.log({"step": step, "samples": table})
        artifact = self.wandb.Artifact(f"report-{self.id}", type="report")
        artifact.add_file(str(report_path), name="report.html", skip_cache=True)
        self.run.log_artifact(artifact)

    def close(self, failed: bool) -> None:
        """End the run."""
        self.run.finish(exit_code=int(failed))


class Trackio:
    """Trackio: a database in the run folder, or the Space that `TRACKIO_SPACE_ID` names."""

    def __init__(self, run: TrackedRun, known: str | None) -> None:
        os.environ.setdefault("TRACKIO_DIR", str(run.kept))
        import trackio

        self.trackio = trackio
        self.run = trackio.init(
            project=os.environ.get("TRACKIO_PROJECT", PROJECT),
            name=run.name,
            group=run.group,
            config=flat(run.config),
            resume="must" if known else "never",
            embed=False,
        )
        self.id = str(self.run.id)
        if known is not None and self.id != known:
            raise RuntimeError(f"there is a newer run '{run.name}' in this project, and trackio finds runs by name")
        space = os.environ.get("TRACKIO_SPACE_ID") or os.environ.get("TRACKIO_SERVER_URL")
        self.where = f"sent to {space}" if space else f"in {os.environ['TRACKIO_DIR']}"

    def log(self, step: int, row: Mapping[str, Any]) -> None:
        """Add a row; its step is the axis."""
        self.run.log({name: value for name, value in row.items() if name != "step"}, step=step)

    def show(self, step: int, metrics: Mapping[str, float], samples: Samples, report_path: Path) -> None:
        """Add metrics, samples and the report at the last step."""
        if metrics:
            self.run.log(dict(metrics), step=step)
        if samples:
            self.run.log({"samples": self.trackio.Table(columns=list(COLUMNS), data=table_of(samples))}, step=step)
        artifact = self.trackio.Artifact(f"report-{self.id}", type="report")
        artifact.add_file(str(report_path), name="report.html")
        self.run.log_artifact(artifact)

    def close(self, failed: bool) -> None:
        """End the run; Trackio does not tell good ends from bad ones."""
        self.trackio.finish()  # type: ignore[no-untyped-call]


class MLflow:
    """MLflow: a database in the run folder, or the server that `MLFLOW_TRACKING_URI` names."""

    def __init__(self, run: TrackedRun, known: str | None) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        # Its own defaults try for a quarter of an hour.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param

        self.metric = Metric
        named = os.environ.get("MLFLOW_TRACKING_URI")
        self.client = MlflowClient(tracking_uri=named or f"sqlite:///{run.kept / 'mlflow.db'}")
        self.where = f"sent to {named}" if named else f"in {run.kept / 'mlflow.db'}"
        if known is not None:
            self.id = known
            self.client.update_run(known, status="RUNNING")
            return
        experiment = self._experiment(None if named else (run.kept / "artifacts").as_uri())
        tags = {} if run.group is None else {"tiebreak.sweep": run.group}
        self.id = self.client.create_run(experiment, run_name=run.name, tags=tags).info.run_id
        for member in run.members:
            self.client.set_tag(member, "mlflow.parentRunId", self.id)  # shown beneath this one
        params = [Param(name, str(value)[:500]) for name, value in flat(run.config).items()]
        for start in range(0, len(params), 100):
            self.client.log_batch(self.id, params=params[start : start + 100])
        self.client.log_text(self.id, run.recipe, "recipe.yaml")

    def _experiment(self, artifacts: str | None) -> str:
        """The id of the experiment that the environment names, or of our own, made where there is none."""
        if "MLFLOW_EXPERIMENT_ID" in os.environ:
            return os.environ["MLFLOW_EXPERIMENT_ID"]
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        found = self.client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self.client.create_experiment(name, artifact_location=artifacts))

    def log(self, step: int, row: Mapping[str, Any]) -> None:
        """Add a metric each; the step is the axis."""
        now = round(time.time() * 1000)
        metrics = {name: value for name, value in row.items() if name != "step" and is_number(value)}
        self.client.log_batch(self.id, metrics=[self.metric(k, v, now, step) for k, v in metrics.items()])

    def show(self, step: int, metrics: Mapping[str, float], samples: Samples, report_path: Path) -> None:
        """Add metrics, samples and the report."""
        self.log(step, metrics)
        if samples:
            columns = {name: [row.get(name) for row in samples] for name in COLUMNS}
            self.client.log_table(self.id, columns, "samples.json")
        self.client.log_artifact(self.id, str(report_path))

    def close(self, failed: bool) -> None:
        """End the run."""
        self.client.set_terminated(self.id, "FAILED" if failed else "FINISHED")
