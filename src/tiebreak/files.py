"""Files and folders that appear whole or not at all, and the folder of the cache.

Knows paths and the disk; knows nothing of what the files say.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str) -> None:
    """Replace a file at once: the text is written beside it, flushed to the disk, then renamed."""
    # Text of data may contain halves of characters, which no encoding has; a question mark replaces them.
    write_bytes(path, text.encode("utf-8", errors="replace"))


def write_bytes(path: Path, content: bytes) -> None:
    """As `write_text`, of a file that is no text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file at once; numbers that are not finite become null, since JSON has no such numbers."""
    write_text(path, json.dumps(without_nan(value), indent=2, ensure_ascii=False) + "\n")


def without_nan(value: Any) -> Any:
    """The same nested value, with None for each number that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return value


@contextmanager
def folder_at_once(path: Path) -> Iterator[Path]:
    """A folder that appears by rename when the block ends well; when it fails, nothing is left behind.

    Yields:
        The folder to write into.
    """
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        flush_folder(partial)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    move_folder(partial, path)


def move_folder(partial: Path, path: Path) -> None:
    """Rename a finished folder to its path, replacing an older one."""
    if path.exists():
        older = path.with_name(f".{path.name}.older")
        shutil.rmtree(older, ignore_errors=True)
        path.rename(older)
        partial.rename(path)
        shutil.rmtree(older, ignore_errors=True)
    else:
        partial.rename(path)
    _flush_directory(path.parent)


def flush_folder(folder: Path) -> None:
    """Flush every file of a folder to the disk, so that a rename cannot come before the bytes."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
    _flush_directory(folder)


def _flush_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def data_folder() -> Path:
    """Where Tiebreak keeps what it cannot compute again: `TIEBREAK_DATA`, or the user's folder for data."""
    named = os.environ.get("TIEBREAK_DATA")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "tiebreak"


def cache_folder() -> Path:
    """Where Tiebreak keeps what it can compute again: `TIEBREAK_CACHE`, or the user's cache folder."""
    chosen = os.environ.get("TIEBREAK_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tiebreak"
