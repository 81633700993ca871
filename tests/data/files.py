"""Writing small real files for tests, in every form that can be read."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import zstandard

from tiebreak.data.load import LoadedPreferences, load_preferences, load_unpaired
from tiebreak.data.preference import Preference, UnpairedCompletion
from tiebreak.data.reading.sources import SourceSpec

Rows = Sequence[Mapping[str, Any]]


def pairs(count: int, prefix: str = "question") -> list[dict[str, Any]]:
    """Rows of the plain text form."""
    return [
        {"prompt": f"{prefix} {i}", "chosen": f"a good answer to {i}", "rejected": f"a bad one to {i}"}
        for i in range(count)
    ]


def write(path: Path, rows: Rows) -> Path:
    """Write rows in the form that the file's name promises."""
    suffixes = [suffix for suffix in path.suffixes if suffix not in (".gz", ".zst")]
    data = {".jsonl": _jsonl, ".json": _json, ".csv": _csv, ".parquet": _parquet, ".arrow": _arrow}[suffixes[-1]](rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        data = gzip.compress(data)
    elif path.suffix == ".zst":
        data = zstandard.compress(data)
    path.write_bytes(data)
    return path


def _jsonl(rows: Rows) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _json(rows: Rows) -> bytes:
    return json.dumps(list(rows), ensure_ascii=False, indent=1).encode()


def _csv(rows: Rows) -> bytes:
    import io

    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def _parquet(rows: Rows) -> bytes:
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_pylist(list(rows)), sink)
    return bytes(sink.getvalue())


def _arrow(rows: Rows) -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist(list(rows))
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def load(path: Path, **settings: Any) -> LoadedPreferences:
    """Load a local source."""
    return load_preferences(SourceSpec(str(path)), **settings)


def preferences(loaded: LoadedPreferences) -> list[Preference]:
    """All pairs of a small source."""
    return [Preference.from_row(row) for row in loaded.dataset]


def unpaired(path: Path, **settings: Any) -> LoadedPreferences:
    """Load a local source as unpaired completions."""
    return load_unpaired(SourceSpec(str(path)), **settings)


def completions(loaded: LoadedPreferences) -> list[UnpairedCompletion]:
    """All unpaired completions of a small source."""
    return [UnpairedCompletion.from_row(row) for row in loaded.dataset]
