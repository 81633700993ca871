"""Canonical rows into a file that others can read: JSON lines, plain or compressed, or Parquet.

Knows how to write; the rows come memory-mapped and leave a batch at a time. The file appears whole or not at all.
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tiebreak.data.batches import batches
from tiebreak.errors import InputError, RunError

if TYPE_CHECKING:
    from datasets import Dataset

_ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")


def check_target(target: Path, *, force: bool) -> None:
    """Refuse a target before any work is done.

    Raises:
        InputError: its extension is not one we write, it exists (unless forced), or its folder does not.
    """
    if not target.name.lower().endswith(_ENDINGS):
        raise InputError(f"'{target}' has an extension that is not written.", fix=f"write {', '.join(_ENDINGS)}")
    if target.is_dir():
        raise InputError(f"'{target}' is a folder.", fix="name a file in it")
    if not target.parent.is_dir():
        raise InputError(f"There is no folder '{target.parent}'.", fix="make it first, or name another file")
    if target.exists() and not force:
        raise InputError(f"'{target}' exists already.", fix="name another file, or overwrite it with --force")


def write_rows(dataset: Dataset, target: Path, *, force: bool = False) -> int:
    """Write every row.

    Args:
        dataset: canonical rows.
        target: `.jsonl`, `.jsonl.gz`, `.jsonl.zst` or `.parquet`; written under another name, then renamed.
        force: overwrite what is there.
    Returns:
        Rows written.
    Raises:
        InputError: the target is refused (see `check_target`).
        RunError: the disk refuses.
    """
    check_target(target, force=force)
    try:
        with _draft(target) as draft:
            if target.suffix.lower() == ".parquet":
                _write_parquet(dataset, draft)
            else:
                _write_lines(dataset, draft, target.suffix.lower())
    except OSError as error:
        raise RunError(
            f"The file cannot be written: {error.strerror or error}.",
            where=str(target),
            fix="make room, or name another",
        ) from None
    return len(dataset)


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    draft = Path(name)
    os.close(handle)
    try:
        yield draft
        draft.chmod(0o666 & ~_umask())  # mkstemp's own mode would keep the file from everybody else
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write_parquet(dataset: Dataset, path: Path) -> None:
    import pyarrow.parquet as parquet

    with parquet.ParquetWriter(path, dataset.features.arrow_schema, compression="zstd") as writer:
        for table in batches(dataset, dataset.column_names):
            writer.write_table(table.cast(dataset.features.arrow_schema))


def _write_lines(dataset: Dataset, path: Path, suffix: str) -> None:
    with path.open("wb") as raw, _compressed(raw, suffix) as out:
        for table in batches(dataset, dataset.column_names):
            for row in table.to_pylist():
                out.write(_line(row))


def _line(row: Mapping[str, Any]) -> bytes:
    return (json.dumps(row, ensure_ascii=False) + "\n").encode()


@contextmanager
def _compressed(raw: IO[bytes], suffix: str) -> Iterator[Any]:
    if suffix == ".gz":
        # Without a name and a time in its head the same rows give the same bytes.
        with gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as out:
            yield out
    elif suffix == ".zst":
        import zstandard

        with zstandard.ZstdCompressor().stream_writer(raw, closefd=False) as writer:
            yield writer
    else:
        yield raw
