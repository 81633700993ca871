"""Which reader goes with which format of file. A new format is one module and one line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tiebreak.data.bytestreams import ByteStream
from tiebreak.data.csv_rows import read_csv
from tiebreak.data.json_array import read_json
from tiebreak.data.json_lines import read_json_lines
from tiebreak.data.problems import OnBad
from tiebreak.data.rows import Row
from tiebreak.data.tables import read_arrow, read_parquet

READERS: dict[str, Callable[[ByteStream, OnBad], Iterator[Row]]] = {
    "jsonl": read_json_lines,
    "json": read_json,
    "csv": read_csv,
    "parquet": read_parquet,
    "arrow": read_arrow,
}
