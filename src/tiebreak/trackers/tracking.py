"""The trackers of a run, each client in a process of its own, seen from the run.

Each gets exactly the rows of metrics.jsonl, the recipe as the run's settings, and at the end the samples and the
report. The callbacks of `transformers` for trackers rename the metrics, record its own arguments in place of the
recipe, and close the tracker before there are samples; so each tracker's own client is used.

Clients wait for networks without end, print to stdout, keep global state from run to run, read their folder from the
environment once, and have a last word when Python exits. In a process of its own (see `client_process`) none of that
reaches the run: rows go through a queue and a pipe, the run never waits for them, and a client that does not end is
ended. One that fails is reported once and left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

import tiebreak
from tiebreak.runs import RunFolder
from tiebreak.runs.manifest import Manifest

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from tiebreak.recipe import Recipe

FOLDER = "trackers"
# What a tracker may take at the end of a run to send what it still has, in seconds.
PATIENCE = 60.0

_CLIENT_PROCESS = "tiebreak.trackers.client_process"
_PATIENCE_AFTER_FAILURE = 10.0


@dataclass(frozen=True)
class Group:
    """What several runs belong to: a search. Trackers show them together.

    Attributes:
        name: of the search.
        folder: of the search; trackers keep all its runs there, side by side.
    """

    name: str
    folder: Path


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
        from tiebreak.training.callbacks import MetricsFile

        return [MetricsFile(tracker.log) for tracker in self.trackers]

    def finished(self, manifest: Manifest, samples: Sequence[Mapping[str, Any]], report_path: Path) -> None:
        """Send what is known when training is over.

        Args:
            manifest: its `before` and `after` become the run's final metrics, as `before/…` and `after/…`.
            samples: the rows of samples.json.
            report_path: of the HTML report, which is kept as an artifact where the tracker has such a thing.
        """
        metrics = {
            f"{when}/{name}": value
            for when, measured in (("before", manifest.before), ("after", manifest.after))
            for name, value in (measured or {}).items()
            if value is not None
        }
        self.ended(metrics, manifest.length.steps if manifest.length is not None else 0, samples, report_path)

    def log(self, row: Mapping[str, Any]) -> None:
        """Send a row to each, with its `step`."""
        for tracker in self.trackers:
            tracker.log(row)

    def ended(
        self, metrics: Mapping[str, float], steps: int, samples: Sequence[Mapping[str, Any]], report_path: Path
    ) -> None:
        """Send final metrics as they are named, samples and the report.

        Args:
            metrics: by name.
            steps: of the run.
            samples: the rows of samples.json.
            report_path: an HTML file.
        """
        for tracker in self.trackers:
            tracker.finish(metrics, steps, samples, report_path)

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
    group: Group | None = None,
    members: Sequence[Path] = (),
) -> Tracking:
    """The trackers of a run, to be used in a `with` statement.

    Args:
        names: of the recipe's `track`, whose packages are installed (`check_trackers`).
        folder: the run folder; its name is the run's name, and trackers keep what is on this machine in `trackers/`.
        recipe: the run's settings.
        say: called with a line on where each tracker shows the run, and one on each that fails.
        patience: longest wait at the end, in seconds.
        group: what the run belongs to, or stands for.
        members: folders of the runs that it stands for.
    """
    path = Path(os.path.abspath(folder))  # noqa: PTH100 - a link keeps its name, which is the run's
    title = RunFolder(path).title
    settings = {
        "run": title if group is None or members else f"{group.name}-{title}",
        "config": recipe.model_dump(by_alias=True, mode="json"),
        "recipe": recipe.to_yaml(),
        "group": None if group is None else group.name,
    }
    trackers = []
    for name in dict.fromkeys(names):
        home = None if group is None else os.path.abspath(group.folder / FOLDER / name)  # noqa: PTH100
        known = [os.path.abspath(member / FOLDER / name) for member in members]  # noqa: PTH100
        own = {"name": name, "folder": str(path / FOLDER / name), "home": home, "members": known}
        trackers.append(TrackerProcess(name, {**settings, **own}, say))
    return Tracking(tuple(trackers), patience)


class TrackerProcess:
    """One tracker of one run.

    Args:
        name: of the tracker.
        settings: the first line for the client: see `client_process`.
        say: called with a line on where the run is shown, and one on a failure.
    """

    def __init__(self, name: str, settings: Mapping[str, Any], say: Callable[[str], None]) -> None:
        self.name = name
        self.settings = dict(settings)
        self.say = say
        self.process: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._received: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()
        self._reader: threading.Thread | None = None
        self._failed = self._closed = False

    def log(self, row: Mapping[str, Any]) -> None:
        """Send a row of metrics; the first one starts the tracker."""
        self._send({"log": dict(row)})

    def finish(
        self, metrics: Mapping[str, float], steps: int, samples: Sequence[Mapping[str, Any]], report_path: Path
    ) -> None:
        """Send the final metrics, the steps of the run, the samples and the report."""
        report = os.path.abspath(report_path)  # noqa: PTH100
        self._send({"finished": {"metrics": metrics, "steps": steps, "samples": list(samples), "report": report}})

    def close(self, failed: bool) -> None:
        """Say that nothing more comes."""
        if not self._closed and self.process is not None:
            self._send({"close": {"failed": failed}})
            self._lines.put(None)
        self._closed = True

    def wait(self, seconds: float, patience: float) -> None:
        """Let the process end by itself.

        Args:
            seconds: how long at most.
            patience: named when it did not.
        """
        if self.process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(min(seconds, _PATIENCE_AFTER_FAILURE) if self._failed else seconds)
        if self.process.poll() is None:
            self._fail(f"it was not done {patience:.0f} seconds after the run; what it has not sent is dropped")
            return
        if self._reader is not None:
            self._reader.join(5.0)
        self._report()
        if self.process.returncode != 0:
            self._fail(f"its process ended with code {self.process.returncode}")

    def end(self) -> None:
        """End the process, and those it has started, if it has not ended."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _send(self, message: Mapping[str, Any]) -> None:
        """Put a message in the queue; whatever is wrong with a tracker is reported, and never raised."""
        if self._failed or self._closed:
            return
        try:
            if self.process is None:
                self.process = self._start()
            self._lines.put(json.dumps(message, default=float))
        except (OSError, TypeError, ValueError) as error:
            self._fail(f"{type(error).__name__}: {error}")
            return
        self._report()

    def _start(self) -> subprocess.Popen[str]:
        home = str(Path(tiebreak.__file__).parent.parent)
        paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", _CLIENT_PROCESS],  # -P: the current folder shadows no package
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,  # Ctrl-C is for the run, which then closes its trackers
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._lines.put(json.dumps(self.settings))
        threading.Thread(target=_write, args=(process.stdin, self._lines), daemon=True).start()
        self._reader = threading.Thread(target=_read, args=(process.stdout, self._received), daemon=True)
        self._reader.start()
        return process

    def _report(self) -> None:
        """Report what has come from the client since."""
        while not self._received.empty():
            message = self._received.get()
            if "error" in message:
                self._fail(message["error"])
            else:
                self.say(f"track   {self.name}: {message['where']}")

    def _fail(self, why: str) -> None:
        if not self._failed:
            self._failed = True
            why = " ".join(why.split())
            self.say(f"track   {self.name} failed and is left alone; metrics.jsonl has everything ({why:.300})")


def _write(pipe: IO[str], lines: queue.SimpleQueue[str | None]) -> None:
    """Pass lines on until there are no more; a process that is gone takes none."""
    with contextlib.suppress(OSError, ValueError):
        for line in iter(lines.get, None):
            pipe.write(line + "\n")
            pipe.flush()
    with contextlib.suppress(OSError, ValueError):
        pipe.close()


def _read(pipe: IO[str], received: queue.SimpleQueue[dict[str, str]]) -> None:
    with pipe:
        for line in pipe:
            received.put(json.loads(line))
