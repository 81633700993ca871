"""Logs of MLflow: the folder of a run in a file store, with a file of lines for each metric."""

from __future__ import annotations

from pathlib import Path

from tiebreak.doctor.log import Curve, TrainingLog
from tiebreak.doctor.reading.points import log_of_points
from tiebreak.errors import InputError


def mlflow_runs(folder: Path) -> list[Path]:
    """The run folders that a folder is, or has below it: a run, an experiment, a store."""
    if is_mlflow_run(folder):
        return [folder]
    return sorted(inner for pattern in ("*", "*/*") for inner in folder.glob(pattern) if is_mlflow_run(inner))


def is_mlflow_run(folder: Path) -> bool:
    """Whether a folder is that of a run."""
    return (folder / "metrics").is_dir() and (folder / "meta.yaml").is_file()


def mlflow_log(folder: Path) -> TrainingLog:
    """The log of the run in a folder.

    Raises:
        InputError: a file is damaged, or there is more than one run.
    """
    runs = mlflow_runs(folder)
    if len(runs) > 1:
        names = ", ".join(str(run.relative_to(folder)) for run in runs[:4])
        raise InputError(f"The folder has {len(runs)} runs: {names}.", where=str(folder), fix="name the folder of one")
    metrics = runs[0] / "metrics"
    curves = {
        file.relative_to(metrics).as_posix(): _curve(file) for file in sorted(metrics.rglob("*")) if file.is_file()
    }
    return log_of_points(curves, source=str(folder), kind="run of MLflow")


def _curve(path: Path) -> Curve:
    """The values of a metric: lines of time, value and step; of a step that was logged twice the later one counts."""
    points: dict[float, float] = {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The file cannot be read: {error}.", where=str(path)) from None
    for number, line in enumerate(text.splitlines(), 1):
        parts = line.split()
        try:
            value, step = float(parts[1]), float(int(parts[2]))
        except (IndexError, ValueError):
            raise InputError(
                "The line is not a time, a value and a step.", where=f"{path}:{number}", fix="is it cut off?"
            ) from None
        points[step] = value
    steps = tuple(sorted(points))
    return Curve(steps, tuple(points[step] for step in steps))
