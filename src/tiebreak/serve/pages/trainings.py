"""Trainings that are started from the page: each in a process of its own that outlives page and server, one at a time.

The process holds a lock for as long as it lives, however it ends, so that a server that is started anew knows of it,
and no number of a process has to be trusted. What is known of the last one lies in `.page-training`, in the folder of
the runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tiebreak.errors import InputError, RunError
from tiebreak.files import write_text
from tiebreak.formatting.text import one_line, visible
from tiebreak.recipe import Recipe
from tiebreak.recipe.builtin import recipe_named
from tiebreak.runs.compare import summarize
from tiebreak.runs.folder import RunFolder
from tiebreak.serve.settings import SECRET_VARIABLES

_FOLDER = ".page-training"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_SAID = re.compile(r"^(error|failed|stopped): ", re.MULTILINE)
_TAIL = 8_000  # bytes of the log that are looked at
_TRIES, _WAIT = 10, 0.05  # whoever looks whether something runs holds the lock for a moment
_PLACEHOLDER = re.compile(r"[A-Z]+(-[A-Z]+)+")  # as recipes for others to fill in write a name


@dataclass(frozen=True)
class Order:
    """What is to be trained.

    Attributes:
        recipe: a built-in one by its name, or a file.
        data: a source, as `data.source` takes it; empty is the recipe's own.
        model: empty is the recipe's own.
        steps: at most so many; None is as the recipe says.
        name: of the run; empty makes one.
        anyway: begin also where a finding says that nothing can come of it.
    """

    recipe: str
    data: str = ""
    model: str = ""
    steps: int | None = None
    name: str = ""
    anyway: bool = False


@dataclass(frozen=True)
class State:
    """How the last training that the page started stands.

    Attributes:
        run: its name; empty where there has been none.
        running: whether its process lives.
        status: of the run: `finished`, `interrupted`, `failed`, `killed`, `refused` (nothing has begun), or `running`.
        said: why it ended, or what it does before its first step.
    """

    run: str = ""
    running: bool = False
    status: str = ""
    said: str = ""

    @property
    def resumable(self) -> bool:
        """Whether there is something to go on with."""
        return not self.running and self.status in ("interrupted", "failed", "killed")


class Trainings:
    """Starts, watches and stops the training of a folder of runs.

    Args:
        runs: the folder.
    """

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self._folder = runs / _FOLDER
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, order: Order) -> str:
        """Begin a training.

        Returns:
            The name of its run.
        Raises:
            InputError: something in the order is wrong, or a training is going on.
            RunError: no process can be started.
        """
        recipe = ordered(order)
        name = order.name.strip() or self._free_name(Path(order.recipe).stem)
        if not _NAME.fullmatch(name):
            raise InputError(f"'{one_line(name, 40)}' cannot be the name of a run: letters, digits, dots and dashes.")
        if (self.runs / name).exists():
            raise InputError(f"There is a run '{name}' already: choose another name, or none.")
        self._begin(name, recipe, ["--anyway"] if order.anyway else [])
        return name

    def resume(self) -> str:
        """Go on with the last training; returns the name of its run.

        Raises:
            InputError: there is none to go on with, or a training is going on.
            RunError: no process can be started.
        """
        state = self.state()
        if not state.running and not state.resumable:
            raise InputError("There is no training to go on with.")
        self._begin(state.run, None, ["--resume"])
        return state.run

    def stop(self) -> None:
        """Ask the training to stop, so that it can be resumed; asked again, it stops at once."""
        known = self._known()
        if self._free() or known is None:
            return
        if _signalled(known, signal.SIGTERM if known.get("asked") else signal.SIGINT):
            self._note({**known, "asked": True})

    def state(self) -> State:
        """How the last training stands."""
        if self._process is not None:
            self._process.poll()  # leave no dead process behind
        known = self._known()
        if known is None:
            return State()
        name = str(known["run"])
        run, running = RunFolder(self.runs / name), not self._free()
        log = self._log(name)
        if running:
            if known.get("asked") and not log:
                # Until it first says something it may not have heard: what starts it may let it ignore SIGINT.
                _signalled(known, signal.SIGINT)
            asked = "Stopping as soon as what is being done is saved. " if known.get("asked") else ""
            return State(name, True, "running", asked + (_last_line(log) if not run.metrics_path.exists() else ""))
        by = self._killed_by(known)
        # Asked while it still loads, it dies of the signal and writes nothing: that is a stop like any other.
        stopped = bool(known.get("asked")) and by in (0, signal.SIGINT, signal.SIGTERM)
        if not run.recipe_path.is_file():
            unsaid = "It was stopped before it began." if stopped else "It ended before it began, and said nothing."
            return State(name, False, "refused", _reason(log) or unsaid)
        status = summarize(run).status
        if stopped and status not in ("finished", "failed"):
            return State(name, False, "interrupted")
        if by > 0 and status != "finished":
            why = f"Its process was killed ({signal.Signals(by).name}), perhaps because the memory was not enough."
            return State(name, False, "killed", why)
        if status in ("finished", "interrupted"):
            return State(name, False, status)
        if status == "failed":
            return State(name, False, status, _reason(log) or self._recorded(run))
        said = _reason(log) or "Its process was killed, perhaps because the memory was not enough."
        return State(name, False, "killed", said)

    def _killed_by(self, known: Mapping[str, object]) -> int:
        """Which signal killed the process that has ended; 0 is none, or one that is not known here."""
        if self._process is None or self._process.pid != known["process"]:
            return 0
        with contextlib.suppress(subprocess.TimeoutExpired):  # its lock is free a moment before it is gone
            self._process.wait(_TRIES * _WAIT)
        return -(self._process.returncode or 0)

    def _begin(self, name: str, recipe: Recipe | None, more: list[str]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            if not _locked(lock.fileno()):
                raise InputError("A training is going on already: wait for its end, or stop it.")
            words = [sys.executable, "-m", "tiebreak", "train"]
            if recipe is not None:
                file = self._folder / f"{name}.yaml"
                write_text(file, recipe.to_yaml())
                words.append(str(file))
            words += ["--out", str(self.runs / name), *more]
            with self._log_path(name).open("wb") as log:
                try:
                    # The lock goes with the process: it is free when the last one that holds it has ended.
                    self._process = subprocess.Popen(
                        words,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                        pass_fds=(lock.fileno(),),
                        env=_environment(),
                    )
                except OSError as error:
                    raise RunError(f"The training cannot be started: {error.strerror}.") from None
            self._note({"run": name, "process": self._process.pid})

    def _free(self) -> bool:
        """Whether no training is going on."""
        try:
            with (self._folder / "lock").open() as lock:
                return _locked(lock.fileno(), tries=1)
        except FileNotFoundError:
            return True

    def _known(self) -> dict[str, object] | None:
        try:
            found = json.loads((self._folder / "last.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        whole = isinstance(found, dict) and _NAME.fullmatch(str(found.get("run", ""))) and "process" in found
        return found if whole else None

    def _note(self, known: dict[str, object]) -> None:
        write_text(self._folder / "last.json", json.dumps(known))

    def _log_path(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _log(self, name: str) -> str:
        try:
            with self._log_path(name).open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - _TAIL))
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""

    def _recorded(self, run: RunFolder) -> str:
        try:
            return run.load_manifest().error or ""
        except (InputError, OSError):
            return ""

    def _free_name(self, stem: str) -> str:
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.")[:60] or "run"
        return next(name for n in range(1, 1_000_000) if not (self.runs / (name := f"{stem}-{n}")).exists())


def ordered(order: Order) -> Recipe:
    """The recipe of an order.

    Raises:
        InputError: there is no such recipe, it names no model or data and neither does the order, or a value is wrong.
    """
    recipe = recipe_named(order.recipe.strip())
    changes = {
        "data.source": order.data.strip(),
        "model.name": order.model.strip(),
        "train.max_steps": order.steps,
    }
    recipe = recipe.with_settings({key: value for key, value in changes.items() if value not in ("", None)})
    for what, name in (("model", recipe.model.name), ("data", recipe.data.source)):
        if not name or _PLACEHOLDER.fullmatch(name):
            raise InputError(f"The recipe '{order.recipe}' names no {what} of its own: name one.")
    return recipe


def _signalled(known: Mapping[str, object], number: signal.Signals) -> bool:
    """Signal the process of a training; False where there is none any more."""
    process = known["process"]
    try:
        if isinstance(process, int) and process > 1 and os.getsid(process) == process:  # it leads its session
            os.kill(process, number)
    except ProcessLookupError:
        return False
    return True


def _environment() -> dict[str, str]:
    """What the training gets: all but the secrets of the server."""
    kept = {name: value for name, value in os.environ.items() if name not in SECRET_VARIABLES}
    return {**kept, "NO_COLOR": "1"}


def _locked(number: int, tries: int = _TRIES) -> bool:
    """Take the lock of an open file; it is let go of when the last process that has the file open closes it."""
    for left in reversed(range(tries)):
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if left:
                time.sleep(_WAIT)
        else:
            return True
    return False


def _reason(log: str) -> str:
    """What a process said last of why it ended."""
    found = list(_SAID.finditer(log))
    return visible(log[found[-1].end() :].strip())[:1_000] if found else ""


def _last_line(log: str) -> str:
    lines = [line for line in log.splitlines() if line.strip()]
    return one_line(lines[-1], 200) if lines else ""
