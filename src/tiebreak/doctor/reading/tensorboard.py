"""Logs of TensorBoard: the event files of a folder, through TensorBoard's own reader."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from tiebreak.doctor.log import Curve, TrainingLog
from tiebreak.doctor.reading.names import EPOCH, named_columns
from tiebreak.doctor.reading.points import log_of_points
from tiebreak.errors import InputError

MARK = "tfevents"
"""In the name of every event file."""


def event_files(folder: Path) -> list[Path]:
    """The event files in a folder and below it."""
    return sorted(path for path in folder.rglob(f"*{MARK}*") if path.is_file())


def tensorboard_log(path: Path) -> TrainingLog:
    """The log in an event file or in a folder of them.

    Raises:
        InputError: TensorBoard is not installed, a file is damaged, or they are of no or of more than one run.
    """
    try:
        reader = import_module("tensorboard.backend.event_processing.event_accumulator").EventAccumulator
    except ImportError:
        raise InputError(
            "Event files need the library tensorboard.", where=str(path), fix="pip install 'tiebreak[tensorboard]'"
        ) from None
    files = event_files(path) if path.is_dir() else [path]
    found: dict[Path, dict[str, Curve]] = {}
    for folder in dict.fromkeys(file.parent if path.is_dir() else file for file in files):
        scalars = _scalars(reader, folder)
        if set(named_columns(scalars).values()) - {EPOCH}:
            found[folder] = scalars
    if not found:
        raise InputError("There is no metric of a training in these event files.", where=str(path))
    if len(found) > 1:
        names = ", ".join(str(folder.relative_to(path)) for folder in list(found)[:4])
        raise InputError(
            f"The folder has event files of {len(found)} runs: {names}.", where=str(path), fix="name the folder of one"
        )
    return log_of_points(next(iter(found.values())), source=str(path), kind="TensorBoard")


def _scalars(reader: Any, path: Path) -> dict[str, Curve]:
    """Every scalar by its tag; of a step that was logged twice, as after a resume, the later value."""
    events = reader(str(path), size_guidance={"scalars": 0, "tensors": 1, "images": 1, "histograms": 1, "audio": 1})
    try:
        events.Reload()
    except Exception as error:  # its reader lets whatever is wrong with a file through
        raise InputError(f"The event files cannot be read: {error}.", where=str(path)) from error
    found = {}
    for tag in events.Tags()["scalars"]:
        points = {float(event.step): float(event.value) for event in events.Scalars(tag)}
        steps = tuple(sorted(points))
        found[tag] = Curve(steps, tuple(points[step] for step in steps))
    return found
