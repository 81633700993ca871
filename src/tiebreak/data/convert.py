"""Canonical rows into a file that others can read: JSON lines, plain or compressed, or Parquet.

Knows how to write; the rows come memory-mapped and go a batch at a time. The file appears whole or not at all.
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tiebreak.data.cache import batches
from tiebreak.data.preference import SELDOM
from tiebreak.errors import InputError, RunError

if TYPE_CHECKING:
    from datasets import Dataset, Features

_EXTENSIONS = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")


def check_target(target: Path, *, force: bool) -> None:
    """Refuse a target before any work is done.

    Raises:
        InputError: its extension is not one we write, it exists (unless forced), or its folder does not.
    """
    if not target.name.lower().endswith(_EXTENSIONS):
        raise InputError(f"'{target}' has an extension that is not written.", fix=f"write {', '.join(_EXTENSIONS)}")
    if target.is_dir():
        raise InputError(f"'{target}' is a folder.", fix="name a file in it")
    if not target.parent.is_dir():
        raise InputError(f"There is no folder '{target.parent}'.", fix="make it first, or name another file")
    if target.exists() and not force:
        raise InputError(f"'{target}' exists already.", fix="name another file, or overwrite it with --force")


def write_rows(dataset: Dataset, target: Path, *, force: bool = False, features: Features | None = None) -> int:
    """Write every row.

    Args:
        dataset: canonical rows.
        target: `.jsonl`, `.jsonl.gz`, `.jsonl.zst` or `.parquet`; written under another name, then renamed.
        force: overwrite what is there.
        features: the columns of the file, from `written_features`; None is those that these rows use.
    Returns:
        Rows written.
    Raises:
        InputError: the target is refused (see `check_target`).
        RunError: the disk refuses.
    """
    check_target(target, force=force)
    features = features or written_features([dataset])
    try:
        with _draft(target) as draft:
            if target.suffix.lower() == ".parquet":
                _write_parquet(dataset, draft, features)
            else:
                _write_lines(dataset, draft, target.suffix.lower(), list(features))
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


def written_features(datasets: Sequence[Dataset]) -> Features:
    """The columns that files of canonical rows have: those that some row uses, and so of the keys of their messages.

    Args:
        datasets: of one task, at least one.
    """
    from datasets import Features, List

    features = Features(datasets[0].features)
    turns = {name: set(of.feature) - {"role", "content"} for name, of in features.items() if _are_turns(of)}
    empty = {name for name in SELDOM if name in features}
    for table in (table for dataset in datasets for table in batches(dataset, sorted({*turns, *empty}))):
        for name, keys in turns.items():
            said = table.column(name).combine_chunks().flatten()
            keys -= {key for key in keys if said.field(key).null_count < len(said)}
        empty -= {name for name in empty if _has_any(table.column(name))}
    for name, keys in turns.items():
        features[name] = List({key: of for key, of in features[name].feature.items() if key not in keys})
    return Features({name: of for name, of in features.items() if name not in empty})


def _are_turns(feature: Any) -> bool:
    return isinstance(getattr(feature, "feature", None), dict)


def _has_any(column: Any) -> bool:
    """Whether a column of texts or of lists has any."""
    import pyarrow as pa
    import pyarrow.compute as compute

    if pa.types.is_list(column.type):
        return bool(compute.sum(compute.list_value_length(column)).as_py())
    return bool(column.null_count < len(column))


def _write_parquet(dataset: Dataset, path: Path, features: Features) -> None:
    import pyarrow.parquet as parquet

    schema = features.arrow_schema
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for table in batches(dataset, list(features)):
            writer.write_table(_without_unused(table, schema))


def _without_unused(table: Any, schema: Any) -> Any:
    """A table in a narrower schema: columns of messages lose the keys that the schema does not have."""
    import pyarrow as pa

    columns = []
    for field in schema:
        column = table.column(field.name).combine_chunks()
        if pa.types.is_list(field.type) and pa.types.is_struct(field.type.value_type):
            turns, keys = column.flatten(), [each.name for each in field.type.value_type]
            struct = pa.StructArray.from_arrays([turns.field(key) for key in keys], keys)
            offsets = pa.array(column.offsets.to_numpy() - column.offsets[0].as_py())
            column = pa.ListArray.from_arrays(offsets, struct)
        columns.append(column)
    return pa.table(columns, names=schema.names).cast(schema)


def _write_lines(dataset: Dataset, path: Path, suffix: str, names: Sequence[str]) -> None:
    with path.open("wb") as raw, _compressed(raw, suffix) as out:
        for table in batches(dataset, names):
            for row in table.to_pylist():
                out.write(_line(row, names))


def _line(row: Mapping[str, Any], names: Sequence[str]) -> bytes:
    return (json.dumps({name: _without_null(row[name]) for name in names}, ensure_ascii=False) + "\n").encode()


def _without_null(value: Any) -> Any:
    """Messages without the keys that they have nothing under; anything else as it is."""
    if not isinstance(value, list):
        return value
    return [{key: each for key, each in turn.items() if each is not None} for turn in value]


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
