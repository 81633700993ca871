"""A session of a run: its status in the manifest, what it runs on, its timings, and what must hold before it goes on.

A run may have several sessions, each ended by a kill, a stop or an error but the last.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import platform
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import psutil
import torch

from tiebreak.errors import InputError, Interrupted, RunError, TiebreakError
from tiebreak.models.save import disk_is_full
from tiebreak.recipe import Recipe
from tiebreak.runs import RunFolder
from tiebreak.runs.manifest import HardwareRecord, Manifest, Status
from tiebreak.runs.metrics_file import last_value
from tiebreak.tasks import TaskName
from tiebreak.trackers.registry import TRACKERS
from tiebreak.version import __version__

_PACKAGES = (
    *("torch", "transformers", "datasets", "accelerate", "tokenizers", "safetensors", "huggingface_hub"),
    *("pyarrow", "numpy"),
)
_PASSWORD = re.compile(r"(://[^/@\s:]*:)[^@\s]*@")
_SECRET = r"(?:password|passwd|secret|token|api[-_]?key)"  # how names of secrets end
_NAMED = re.compile(rf"((?:^|[-_.?&\w]){_SECRET}=)[^&\s]*", re.IGNORECASE)
_OPTION = re.compile(rf"-.*{_SECRET}", re.IGNORECASE)


@contextmanager
def timed(folder: RunFolder, part: str) -> Iterator[None]:
    """Add the seconds that the block takes, however it ends, to a part's time in the manifest, that of all sessions.

    Args:
        folder: of the run.
        part: its name among the timings.
    """
    began = time.perf_counter()

    def record() -> None:
        timings = folder.load_manifest().timings
        seconds = round(timings.get(part, 0.0) + time.perf_counter() - began, 2)
        folder.update_manifest(timings={**timings, part: seconds})

    with _recorded(record):
        yield


@contextmanager
def counted(folder: RunFolder, drawn: Callable[[], int]) -> Iterator[None]:
    """Record how many examples training has seen when the block ends, however it does.

    Args:
        folder: of the run.
        drawn: how many its steps have drawn so far, those that came again included.
    """

    def record() -> None:
        data = folder.load_manifest().data
        if data is not None:
            folder.update_manifest(data=data.replace(seen=min(drawn(), data.train or 0)))

    with _recorded(record):
        yield


@contextmanager
def _recorded(record: Callable[[], None]) -> Iterator[None]:
    """Record something when the block ends; where it fails, that is the error, and not a disk that is full as well."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            record()
        raise
    record()


def one_process_only() -> None:
    """Refuse to be one of several processes.

    Raises:
        InputError: a launcher started more than one.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError(
            "Training in several processes is not supported yet.",
            where=f"WORLD_SIZE={os.environ['WORLD_SIZE']}",
            fix="start one process, with one GPU",
        )


def check_unchanged(folder: RunFolder, *, data: str, model: str, objectives: Mapping[str, str]) -> None:
    """A resumed run goes on with what it began with, or not at all.

    Args:
        folder: the run.
        data, model: their fingerprints as they are now.
        objectives: fingerprints of losses from outside the package, by name.

    Raises:
        InputError: one of them is another.
    """
    if folder.last_checkpoint() is None:
        return
    recorded = folder.load_manifest()
    if recorded.data is not None:
        _check_same("data", recorded.data.source, recorded.data.fingerprint, data)
    if recorded.model is not None:
        _check_same("model", recorded.model.name, recorded.model.fingerprint, model)
    for name, fingerprint in objectives.items():
        _check_same("objective", name, recorded.objectives.get(name), fingerprint)


def _check_same(what: str, name: str, before: str | None, now: str) -> None:
    if before is not None and before != now:
        raise InputError(
            f"The {what} is not what this run began with.",
            where=name,
            fix="put the old one back, or start a new run",
        )


@contextmanager
def recorded_session(folder: RunFolder, task: TaskName) -> Iterator[None]:
    """Keep the manifest's status true to what happens, and threads as they were when the run began.

    Args:
        folder: of the run.
        task: what it learns from.
    """
    recorded = folder.load_manifest()
    threads = recorded.threads or torch.get_num_threads()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)  # the order of sums depends on it, and so do the last bits of a resumed run
    folder.update_manifest(
        status="running",
        error=None,
        created=recorded.created or now(),
        finished=None,
        commands=(*recorded.commands, command_line(sys.argv)),
        resumed=recorded.resumed + (recorded.created is not None),
        timings=_timings(folder, recorded),
        task=task,
        versions=_versions(folder.recipe()),
        hardware=_hardware(),
        threads=threads,
    )
    try:
        yield
    except KeyboardInterrupt:
        _record_end(folder, "interrupted", None)
        raise Interrupted(
            "Stopped; what was saved before is kept.",
            fix=f"go on with: tiebreak train --out {folder.path} --resume",
        ) from None
    except Interrupted as error:
        _record_end(folder, "interrupted", error.what)
        raise
    except TiebreakError as error:
        _record_end(folder, "failed", str(error))
        raise
    except OSError as error:
        _record_end(folder, "failed", str(error))
        then = f"go on with: tiebreak train --out {folder.path} --resume"
        path = Path(error.filename) if isinstance(error.filename, str) else folder.path
        what = "A file cannot be read or written" if error.filename is not None else "Reading or writing failed"
        raise RunError(
            f"{what}: {error.strerror or error}.",
            where=str(path),
            fix=f"free some disk, then {then}" if disk_is_full(error) else then,
        ) from error
    except Exception as error:
        _record_end(folder, "failed", f"{type(error).__name__}: {error}")
        raise
    finally:
        torch.set_num_threads(before)
    folder.update_manifest(status="finished")


def _record_end(folder: RunFolder, status: Status, error: str | None) -> None:
    # On a full disk this cannot be written either, and the error that led here says more.
    with contextlib.suppress(OSError):
        folder.update_manifest(status=status, error=error)


def now() -> str:
    """The time in UTC, as the manifest has it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def command_line(words: Sequence[str]) -> str:
    """A command line as it would be typed, without what may be secret in it.

    Args:
        words: as `sys.argv` has them.
    """
    shown = [_NAMED.sub(r"\1…", _PASSWORD.sub(r"\1…@", word)) for word in words]
    shown[1:] = ["…" if _OPTION.fullmatch(option) else word for option, word in pairwise(shown)]
    return shlex.join([Path(shown[0]).name, *shown[1:]]) if shown else ""


def _timings(folder: RunFolder, recorded: Manifest) -> dict[str, float]:
    """The times so far. A session that was killed recorded none, but its log says how far training was."""
    logged = last_value(folder.metrics_path, "seconds") or 0.0
    trained = max(recorded.timings.get("train", 0.0), round(logged, 2))
    return {**recorded.timings, "train": trained} if trained else dict(recorded.timings)


def _versions(recipe: Recipe) -> dict[str, str]:
    """Versions of Python, Tiebreak and all packages that take part in a run."""
    packages = [*_PACKAGES]
    packages += ["peft"] if recipe.model.adapter is not None else []
    packages += ["bitsandbytes"] if recipe.model.quantize is not None else []
    packages += [TRACKERS[name].package for name in recipe.track]
    found = {"python": platform.python_version(), "tiebreak": __version__}
    return found | {name: version for name in packages if (version := _version(name)) is not None}


def _version(package: str) -> str | None:
    """The version of a package; None where it is there under another name, as some trackers' smaller editions are."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _hardware() -> HardwareRecord:
    cards = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    return HardwareRecord(
        system=f"{platform.system()} {platform.machine()}",
        processor=torch.cpu.get_capabilities().get("cpu_name") or platform.processor(),
        cores=os.cpu_count(),
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        gpus=tuple(torch.cuda.get_device_name(card) for card in cards),
    )
