"""A session of a run: its status in the manifest, its timings, and what has to hold before it may go on.

A run may have several sessions, each ended by a kill, a stop or an error but the last.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from tiebreak.errors import InputError, Interrupted, RunError, TiebreakError
from tiebreak.runs import RunFolder
from tiebreak.runs.machine import hardware, versions


class Timings:
    """Seconds of each part of a run, over all of its sessions."""

    def __init__(self, recorded: Mapping[str, float]) -> None:
        self.seconds = dict(recorded)

    def add(self, part: str, began: float) -> None:
        """Count the seconds since `began`, on the clock of `time.perf_counter`."""
        self.seconds[part] = round(self.seconds.get(part, 0.0) + time.perf_counter() - began, 2)


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


def check_unchanged(folder: RunFolder, **fingerprints: str) -> None:
    """A resumed run goes on with what it began with, or not at all.

    Args:
        folder: the run.
        fingerprints: of its `data` and `model`, as they are now.

    Raises:
        InputError: one of them is another.
    """
    if folder.last_checkpoint() is None:
        return
    recorded = folder.manifest()
    for what, now in fingerprints.items():
        before = (recorded.get(what) or {}).get("fingerprint")
        if before is not None and before != now:
            raise InputError(
                f"The {what} is not what this run began with.",
                where=str((recorded[what]).get("name") or (recorded[what]).get("source")),
                fix="put the old one back, or start a new run",
            )


@contextmanager
def recorded_session(folder: RunFolder) -> Iterator[None]:
    """Keep the manifest's status true to what happens, and threads as they were when the run began."""
    recorded = folder.manifest()
    threads = recorded.get("threads") or torch.get_num_threads()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)  # the order of sums depends on it, and so do the last bits of a resumed run
    folder.record(
        status="running",
        error=None,
        created=recorded.get("created") or _now(),
        finished=None,
        versions=versions(),
        hardware=hardware(),
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
        raise RunError(
            f"A file of the run cannot be written or read: {error.strerror or error}.",
            where=str(error.filename or folder.path),
            fix=f"free some disk, then go on with: tiebreak train --out {folder.path} --resume",
        ) from error
    except Exception as error:
        _record_end(folder, "failed", f"{type(error).__name__}: {error}")
        raise
    finally:
        torch.set_num_threads(before)
    folder.record(status="finished")


def _record_end(folder: RunFolder, status: str, error: str | None) -> None:
    # On a full disk this cannot be written either, and the error that led here says more.
    with contextlib.suppress(OSError):
        folder.record(status=status, error=error)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
