"""Rows on the disk: an Arrow file that is memory-mapped, with the facts of its making, and passes over such files.

Knows how a result appears whole or not at all; knows nothing of where its rows come from. An entry is a folder that
is written under a name of its own and renamed when it is complete: two processes at once write the same thing twice and
the later one takes the earlier one's, and a process that is killed leaves nothing under a name that anyone reads.
Pages of a mapped file that were touched count as memory of this process until somebody else needs it, so a whole pass
reads the file instead of the mapping.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiebreak import files
from tiebreak.errors import RunError

if TYPE_CHECKING:
    from datasets import Dataset, Features

_ROWS_A_BATCH = 1000
_CHARS_A_BATCH = 16 << 20
_ROWS_A_READ = 500
_STALE_SECONDS = 24 * 3600
_ROWS = "rows.arrow"
_FACTS = "facts.json"


def cache_folder() -> Path:
    """Where canonical rows are kept."""
    return files.cache_folder() / "preferences"


def lookup(key: str) -> tuple[Path, dict[str, Any]] | None:
    """The Arrow file and the facts of an entry, if there is one."""
    folder = cache_folder() / key
    try:
        facts: dict[str, Any] = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return (folder / _ROWS, facts) if (folder / _ROWS).is_file() else None


def store(
    key: str, features: Features, rows: Iterator[Mapping[str, Any]], facts: Callable[[], dict[str, Any]]
) -> tuple[Path, dict[str, Any]]:
    """Write an entry.

    Args:
        key: its name, a digest.
        features: the `datasets.Features` of the rows.
        rows: the rows; consumed once, held a batch at a time.
        facts: asked after the last row; kept beside the rows as JSON.
    Returns:
        What `lookup` returns.
    Raises:
        RunError: the cache cannot be written.
        InputError: whatever the rows raise.
    """
    parent = cache_folder()
    try:
        parent.mkdir(parents=True, exist_ok=True)
        sweep(parent, ".draft-*")
        draft = parent / f".draft-{uuid.uuid4().hex}"
        draft.mkdir()
    except OSError as error:
        raise _unwritable(parent, error) from None
    try:
        _write(draft / _ROWS, features, rows)
        made = facts()
        (draft / _FACTS).write_text(json.dumps(made), encoding="utf-8")
        _publish(draft, parent / key)
    except OSError as error:
        raise _unwritable(parent, error) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    found = lookup(key)
    if found is None:
        raise _unwritable(parent, OSError("an entry vanished as soon as it was written"))
    return found


def _publish(draft: Path, entry: Path) -> None:
    """Give a complete draft its name; a whole entry that stands there already is kept, for others may be reading it."""
    try:
        draft.rename(entry)
    except OSError:
        if lookup(entry.name) is None:  # somebody removed a part of it
            shutil.rmtree(entry, ignore_errors=True)
            draft.rename(entry)


def _write(path: Path, features: Features, rows: Iterator[Mapping[str, Any]]) -> None:
    import pyarrow as pa
    from datasets.arrow_writer import ArrowWriter

    schema = features.arrow_schema
    with ArrowWriter(features=features, path=str(path)) as writer:
        batch: list[Mapping[str, Any]] = []
        chars = 0
        for row in rows:
            batch.append(row)
            chars += sum(len(value) for value in row.values() if isinstance(value, str))
            chars += sum(len(turn["content"]) for turn in row["prompt"])
            if len(batch) >= _ROWS_A_BATCH or chars >= _CHARS_A_BATCH:
                writer.write_table(pa.Table.from_pylist(batch, schema=schema))
                batch, chars = [], 0
        writer.write_table(pa.Table.from_pylist(batch, schema=schema))
        writer.finalize()


def batches(dataset: Dataset, columns: Sequence[str]) -> Iterator[Any]:
    """One pass over the rows in order, a small `pyarrow.Table` at a time, that leaves nothing behind in memory.

    Args:
        dataset: any data set; one that lies in a single file and was not reordered is read from the file.
        columns: the columns of the tables.
    """
    import pyarrow as pa

    files = dataset.cache_files
    if len(files) == 1 and dataset._indices is None and _rows_of(files[0]["filename"]) == len(dataset):
        with pa.OSFile(files[0]["filename"]) as file, pa.ipc.open_stream(file) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch]).select(list(columns))
    else:
        yield from dataset.select_columns(list(columns)).with_format("arrow").iter(_ROWS_A_READ)


def _rows_of(path: str) -> int:
    """Rows of an Arrow stream, from the heads of its batches: nothing of their contents is read."""
    import pyarrow as pa

    with pa.memory_map(path) as file, pa.ipc.open_stream(file) as reader:
        return sum(batch.num_rows for batch in reader)


def sweep(folder: Path, drafts: str) -> None:
    """Remove what processes that were killed long ago left behind: files and folders of names such as `.*.draft`."""
    for draft in folder.glob(drafts):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > _STALE_SECONDS:
                if draft.is_dir():
                    shutil.rmtree(draft, ignore_errors=True)
                else:
                    draft.unlink()


def _unwritable(parent: Path, error: OSError) -> RunError:
    return RunError(
        f"The data cache cannot be written: {error.strerror or error}.",
        where=str(parent),
        fix="make room, or set TIEBREAK_CACHE to a folder on another disk",
    )
