"""A pass over every row of a data set that leaves nothing behind in memory.

Knows how `datasets` keeps rows: an Arrow stream that is memory-mapped. Pages of a mapped file that were touched count
as memory of this process until somebody else needs it, so a whole pass reads the file instead of the mapping.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset

_ROWS = 500


def batches(dataset: Dataset, columns: Sequence[str]) -> Iterator[Any]:
    """The rows in order, a small `pyarrow.Table` at a time.

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
        yield from dataset.select_columns(list(columns)).with_format("arrow").iter(_ROWS)


def _rows_of(path: str) -> int:
    """Rows of an Arrow stream, from the heads of its batches: nothing of their contents is read."""
    import pyarrow as pa

    with pa.memory_map(path) as file, pa.ipc.open_stream(file) as reader:
        return sum(batch.num_rows for batch in reader)
