"""A folder that holds exactly what is uploaded, whether it then goes to the Hub or is only shown.

Knows files and sizes; what is in them is decided elsewhere. Large files are linked, not copied, until somebody wants a
folder to keep.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tiebreak.errors import InputError, RunError
from tiebreak.files import folder_at_once

_PREFIX = ".push-"
LARGEST_FILE = 50 * 1000**3
"""The Hub's limit for one file, in bytes."""


@dataclass(frozen=True)
class StagedFile:
    """A file as it will stand in the repository: its path there, and its size in bytes."""

    path: str
    size: int


@dataclass(frozen=True)
class Staged:
    """All that will be uploaded.

    Attributes:
        folder: where it lies.
        files: what lies there, by path.
        notes: what the user should know of it, one sentence each.
    """

    folder: Path
    files: tuple[StagedFile, ...]
    notes: tuple[str, ...] = ()


def staged(folder: Path, notes: Sequence[str] = ()) -> Staged:
    """What lies in a folder, as it will be uploaded.

    Args:
        folder: with nothing else in it.
        notes: as for `Staged`.
    Raises:
        InputError: a file is larger than the Hub takes.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = tuple(StagedFile(path.relative_to(folder).as_posix(), path.stat().st_size) for path in paths)
    for file in files:
        if file.size > LARGEST_FILE:
            raise InputError(
                f"The file '{file.path}' has {file.size / 1e9:.1f} GB, and the Hub takes at most 50 GB a file.",
                where=file.path,
                fix="save the model in smaller shards: save_pretrained(folder, max_shard_size='5GB')",
            )
    return Staged(folder, files, tuple(notes))


@contextmanager
def staging_folder(beside: Path | None = None) -> Iterator[Path]:
    """A folder for the time of a block.

    Args:
        beside: a folder on the disk that has room for weights; None is the system's temporary one.
    """
    try:
        if beside is not None:
            _clear(beside)
        made = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=beside)
    except OSError:  # a run that others keep: nothing can be written there
        made = tempfile.mkdtemp(prefix="tiebreak-push-")
    try:
        yield Path(made)
    except OSError as error:
        raise RunError(
            f"What is to be uploaded cannot be written: {error.strerror or error}.",
            where=str(error.filename or made),
            fix="free some disk, and run the same command again",
        ) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _clear(folder: Path) -> None:
    """Remove what a killed push left behind, which may be a whole merged model."""
    for left in folder.glob(f"{_PREFIX}*"):
        process = left.name.removeprefix(_PREFIX).split("-")[0]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            shutil.rmtree(left, ignore_errors=True)


def keep(what: Staged, out: Path) -> None:
    """Copy what would be uploaded to a folder that stays; it appears whole or not at all.

    Raises:
        RunError: the disk does not take it.
    """
    try:
        with folder_at_once(out) as partial:
            for file in what.files:
                target = partial / file.path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(what.folder / file.path, target)
    except OSError as error:
        raise RunError(
            f"The folder cannot be written: {error.strerror or error}.", where=str(out), fix="free some disk"
        ) from error
