"""For each row of token ids the ending of another row: a completion that does not answer its prompt.

KTO (Ethayarajh et al. 2024, arXiv 2402.01306, section 4.1) estimates how far the policy has moved from the reference on
such mismatched endings. Here the partner of a row is fixed: rows are put in one order, drawn once, and each gets
the ending of the next row, around the end, whose prompt is another one; so epochs, batches and machines agree on it.

Rows go by a batch at a time. What is held of each is a few numbers; endings are looked up in a file of all of them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tiebreak.data.digests import Digests, groups

Rows = NDArray[np.int64]
_SEED = 20_240_204
_WIDTH = 4  # bytes of an id


def partners_of(prompts: Rows, endings: Rows | None = None) -> Rows:
    """For each row the row whose ending it borrows.

    Args:
        prompts: a number for each prompt, the same for equal prompts, shape (rows,).
        endings: the same of the endings; only asked where all prompts are equal.
    Returns:
        Indices of rows, shape (rows,): the next of another prompt in the drawn order; where all prompts are equal
        the next of another ending; a row's own where there is no such row either.
    """
    order = np.random.default_rng(_SEED).permutation(len(prompts))
    kinds = prompts if endings is None else endings
    ordered = kinds[order]
    # Places after which another prompt comes; the first such place at or after a row's own ends its run of equals.
    ends = np.flatnonzero(ordered != np.roll(ordered, -1))
    if not len(ends):
        return np.arange(len(prompts))
    place = np.arange(len(order))
    after = (ends[np.searchsorted(ends, place) % len(ends)] + 1) % len(order)
    result = np.empty(len(order), np.int64)
    result[order] = order[after]
    return result


def add_partners(rows: IO[bytes], sink: Any, schema: Any, *, total: int | None, folder: Path | None = None) -> None:
    """Copy an Arrow stream of token ids, and add the column `partner_ids`.

    Args:
        rows: an Arrow stream with `prompt_ids` and `completion_ids`; read from its start.
        sink: where the new stream goes.
        schema: of the new stream; its last column is `partner_ids`.
        total: the longest prompt and ending, in tokens: a partner is cut to what the row's prompt leaves, though never
            to nothing. None cuts nothing.
        folder: where a temporary file may lie that is as large as the endings.
    """
    import pyarrow as pa

    with TemporaryFile(dir=folder) as side:
        prompts, lengths = _survey(rows, side)
        numbers, count = groups(prompts)
        partner = partners_of(numbers, groups(_digests_of(side, lengths))[0] if count == 1 else None)
        starts = np.cumsum(lengths) - lengths
        done = 0
        with pa.ipc.new_stream(sink, schema) as stream:
            for batch in _batches(rows):
                borrowed = partner[done : done + batch.num_rows]
                room = lengths[borrowed]
                if total is not None:
                    asked = batch.column("prompt_ids").value_lengths().to_numpy(zero_copy_only=False)
                    room = np.minimum(room, np.maximum(1, total - asked))
                column = _looked_up(side, starts[borrowed], room)
                stream.write_batch(pa.RecordBatch.from_arrays([*batch.columns, column], schema=schema))
                done += batch.num_rows


def _survey(rows: IO[bytes], side: IO[bytes]) -> tuple[Digests, Rows]:
    """Digests of the prompts and lengths of the endings; the endings themselves go to `side`, end to end."""
    digests = bytearray()
    lengths: list[Rows] = []
    for batch in _batches(rows):
        digests += b"".join(hashlib.blake2b(ids, digest_size=16).digest() for ids in _ids(batch.column("prompt_ids")))
        endings = batch.column("completion_ids")
        side.write(endings.flatten().to_numpy().tobytes())
        lengths.append(endings.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64))
    side.flush()
    return (
        np.frombuffer(digests, "<u8").reshape(-1, 2),
        np.concatenate(lengths) if lengths else np.zeros(0, np.int64),
    )


def _batches(rows: IO[bytes]) -> Iterator[Any]:
    import pyarrow as pa

    rows.seek(0)
    with pa.ipc.open_stream(rows) as reader:
        yield from reader


def _ids(column: Any) -> Iterator[bytes]:
    """The ids of each row of a list column, as bytes."""
    flat: bytes = column.flatten().to_numpy().tobytes()
    ends = (column.offsets.to_numpy().astype(np.int64) - column.offsets[0].as_py()) * _WIDTH
    for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        yield flat[start:end]


def _digests_of(side: IO[bytes], lengths: Rows) -> Digests:
    """Digests of all endings."""
    side.seek(0)
    digests = bytearray()
    for length in lengths.tolist():
        digests += hashlib.blake2b(side.read(length * _WIDTH), digest_size=16).digest()
    return np.frombuffer(digests, "<u8").reshape(-1, 2)


def _looked_up(side: IO[bytes], starts: Rows, lengths: Rows) -> Any:
    """The ids that begin at `starts` in the file, as a list column.

    One read for each row: the file is in the page cache, and mapping it would count all of it as memory of ours.
    """
    import pyarrow as pa

    handle = side.fileno()
    places = zip((starts * _WIDTH).tolist(), (lengths * _WIDTH).tolist(), strict=True)
    ids = np.frombuffer(b"".join(os.pread(handle, size, start) for start, size in places), np.int32)
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(ids))
