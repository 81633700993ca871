"""Trackers that a run is shown in: Weights & Biases, Trackio, TensorBoard, MLflow.

Each gets exactly the rows of metrics.jsonl, the recipe as the run's settings, and at the end the samples and the
report. The callbacks of `transformers` for them rename the metrics, record its own arguments in place of the recipe,
and close the tracker before there are samples; so each tracker's own client is used, in a process of its own (see
`tracker_process`). No tracker can stop or slow a run: one that fails is said once and left alone.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from transformers import TrainerCallback

from tiebreak.errors import InputError
from tiebreak.recipe import Recipe
from tiebreak.runs import RunFolder
from tiebreak.training.callbacks import MetricsFile
from tiebreak.training.tracker_process import TrackerProcess

FOLDER = "trackers"
# What a tracker may take at the end of a run to send what it still has, in seconds.
PATIENCE = 60.0


def check_trackers(names: Iterable[str]) -> None:
    """Make sure that every tracker's package is installed, without importing any.

    Args:
        names: of the recipe's `track`.
    Raises:
        InputError: one is not installed.
    """
    for name in names:
        if not _installed(name):
            raise InputError(
                f"The tracker '{name}' is not installed.", where="track", fix=f'pip install "tiebreak[{name}]"'
            )


def _installed(name: str) -> bool:
    # A mere folder of that name (wandb makes one where it is started) is found too, but has no file of its own.
    found = importlib.util.find_spec(name)
    return found is not None and found.origin is not None


@dataclass(frozen=True)
class Tracking:
    """The trackers of a run; as a context manager it closes them however the run ends.

    A tracker is started by the first row that it is sent, so a run that never begins leaves no trace in any.

    Attributes:
        trackers: a process each.
        patience: longest wait for all of them at the end, in seconds.
    """

    trackers: tuple[TrackerProcess, ...] = ()
    patience: float = PATIENCE

    @property
    def callbacks(self) -> list[TrainerCallback]:
        """What the trainer calls: the writer of metrics.jsonl once more for each tracker."""
        return [MetricsFile(tracker.log) for tracker in self.trackers]

    def finished(self, manifest: Mapping[str, Any], samples: Sequence[Mapping[str, Any]], report: Path) -> None:
        """Send what is known when training is over.

        Args:
            manifest: its `before` and `after` become the run's final metrics, as `before/…` and `after/…`.
            samples: the rows of samples.json.
            report: the HTML report; kept as an artifact where the tracker has such a thing.
        """
        for tracker in self.trackers:
            tracker.finish(manifest, samples, report)

    def close(self, failed: bool) -> None:
        """End the tracked runs, and wait for what is still to be sent; nothing happens the second time.

        Args:
            failed: whether the run ended in an error or was stopped.
        """
        for tracker in self.trackers:
            tracker.close(failed)
        deadline = time.monotonic() + self.patience
        try:
            for tracker in self.trackers:
                tracker.wait(max(0.0, deadline - time.monotonic()), self.patience)
        finally:  # where somebody presses Ctrl-C instead of waiting
            for tracker in self.trackers:
                tracker.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self.close(failed=kind is not None)


def open_tracking(
    names: Sequence[str],
    *,
    folder: Path,
    recipe: Recipe,
    say: Callable[[str], None],
    patience: float = PATIENCE,
) -> Tracking:
    """The trackers of a run, to be used in a `with` statement.

    Args:
        names: of the recipe's `track`.
        folder: the run folder; its name is the run's name, and trackers keep what is on this machine in `trackers/`.
        recipe: the run's settings.
        say: told where each tracker shows the run, and once of each that fails.
        patience: longest wait at the end, in seconds.
    Raises:
        InputError: a package is missing.
    """
    check_trackers(names)
    place = Path(os.path.abspath(folder))  # noqa: PTH100 - a link keeps its name, which is the run's
    settings = {
        "run": RunFolder(place).title,
        "config": recipe.model_dump(by_alias=True, mode="json"),
        "recipe": recipe.to_yaml(),
    }
    trackers = [
        TrackerProcess(name, {**settings, "name": name, "folder": str(place / FOLDER / name)}, say)
        for name in dict.fromkeys(names)
    ]
    return Tracking(tuple(trackers), patience)
