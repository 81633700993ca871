"""A tracker's client in a process of its own, seen from the run.

Clients wait for networks without end, print to stdout, keep global state from run to run, read their folder from the
environment once, and have a last word when Python exits. In a process of its own none of that reaches the run: rows go
through a queue and a pipe, the run never waits for them, and a client that does not end is ended.
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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import tiebreak

_CHILD = "tiebreak.training.tracker_child"
_PATIENCE_AFTER_FAILURE = 10.0


class TrackerProcess:
    """One tracker of one run.

    Args:
        name: of the tracker.
        settings: what the client is told first: see `tracker_child`.
        say: told where the run is shown, and once of a failure.
    """

    def __init__(self, name: str, settings: Mapping[str, Any], say: Callable[[str], None]) -> None:
        self.name = name
        self.settings = dict(settings)
        self.say = say
        self.process: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._heard: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()
        self._reader: threading.Thread | None = None
        self._failed = self._closed = False

    def log(self, row: Mapping[str, Any]) -> None:
        """Send a row of metrics; the first one starts the tracker."""
        self._send({"log": dict(row)})

    def finish(self, manifest: Mapping[str, Any], samples: Sequence[Mapping[str, Any]], report: Path) -> None:
        """Send the last figures, the samples and the report."""
        shown = {"manifest": dict(manifest), "samples": list(samples), "report": os.path.abspath(report)}  # noqa: PTH100
        self._send({"finished": shown})

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
            self._fail(f"it was not done {patience:.0f} seconds after the run; what it has not sent is left out")
            return
        if self._reader is not None:
            self._reader.join(5.0)
        self._listen()
        if self.process.returncode != 0:
            self._fail(f"its process ended with code {self.process.returncode}")

    def end(self) -> None:
        """End the process, and those it has started, if it has not ended."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _send(self, message: Mapping[str, Any]) -> None:
        """Put a message in the queue; whatever is wrong with a tracker is said, and never raised."""
        if self._failed or self._closed:
            return
        try:
            if self.process is None:
                self.process = self._started()
            self._lines.put(json.dumps(message, default=float))
        except (OSError, TypeError, ValueError) as error:
            self._fail(f"{type(error).__name__}: {error}")
            return
        self._listen()

    def _started(self) -> subprocess.Popen[str]:
        home = str(Path(tiebreak.__file__).parent.parent)
        paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", _CHILD],  # -P: nothing in the current folder takes the place of a package
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
        self._reader = threading.Thread(target=_read, args=(process.stdout, self._heard), daemon=True)
        self._reader.start()
        return process

    def _listen(self) -> None:
        """Say what the client has told since."""
        while not self._heard.empty():
            told = self._heard.get()
            if "trouble" in told:
                self._fail(told["trouble"])
            else:
                self.say(f"track   {self.name}: {told['where']}")

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


def _read(pipe: IO[str], heard: queue.SimpleQueue[dict[str, str]]) -> None:
    with pipe:
        for line in pipe:
            heard.put(json.loads(line))
