"""KTO's mismatched completions: for each row of token ids the completion of a row with another prompt.

KTO (Ethayarajh et al. 2024, arXiv 2402.01306, section 4.1) estimates how far the policy has moved from the reference on
such completions. Here that of a row is fixed: rows are put in one order, drawn once, and each gets the completion of
the next row, around the end, whose prompt is another one; so epochs, batches and machines agree on it.

Rows go by a batch at a time. What is held of each is a few numbers; completions are looked up in a file of all of them.
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

from tiebreak.data.preparing.digests import Digests, groups

Rows = NDArray[np.int64]
_SEED = 20_240_204
_WIDTH = 4  # bytes of an id


def mismatched_of(prompts: Rows, completions: Rows | None = None) -> Rows:
    """For each row the row whose completion it borrows.

    Args:
        prompts: a number for each prompt, the same for equal prompts, shape (rows,).
        completions: the same of the completions; only asked where all prompts are equal.
    Returns:
        Indices of rows, shape (rows,): the next of another prompt in the drawn order; where all prompts are equal
        the next of another completion; a row's own where there is no such row either.
    """
    order = np.random.default_rng(_SEED).permutation(len(prompts))
    ordered = (prompts if completions is None else completions)[order]
    # Where another prompt comes next; the first such position at or after a row's own ends its run of equals.
    ends = np.flatnonzero(ordered != np.roll(ordered, -1))
    if not len(ends):
        return np.arange(len(prompts))
    position = np.arange(len(order))
    after = (ends[np.searchsorted(ends, position) % len(ends)] + 1) % len(order)
    result = np.empty(len(order), np.int64)
    result[order] = order[after]
    return result


def add_mismatched(rows: IO[bytes], sink: Any, schema: Any, *, total: int | None, folder: Path | None = None) -> None:
    """Copy an Arrow stream of token ids, and add the columns `mismatched_ids` and `mismatched_scored`.

    Args:
        rows: an Arrow stream with `prompt_ids`, `completion_ids` and `completion_scored`; read from its start.
        sink: where the new stream goes.
        schema: of the new stream; its last columns are `mismatched_ids` and `mismatched_scored`.
        total: the longest prompt and completion, in tokens: a mismatched completion is cut to what the row's prompt
            leaves, though never to nothing. None cuts nothing.
        folder: where a temporary file may lie that is as large as the completions.
    """
    import pyarrow as pa

    with TemporaryFile(dir=folder) as side:
        prompts, lengths = _survey(rows, side)
        numbers, count = groups(prompts)
        mismatched = mismatched_of(numbers, groups(_digests_of(side, lengths))[0] if count == 1 else None)
        starts = np.cumsum(lengths) - lengths
        done = 0
        with pa.ipc.new_stream(sink, schema) as stream:
            for batch in _batches(rows):
                borrowed = mismatched[done : done + batch.num_rows]
                room = lengths[borrowed]
                if total is not None:
                    asked = batch.column("prompt_ids").value_lengths().to_numpy(zero_copy_only=False)
                    room = np.minimum(room, np.maximum(1, total - asked))
                columns = _looked_up(side, starts[borrowed], room)
                stream.write_batch(pa.RecordBatch.from_arrays([*batch.columns, *columns], schema=schema))
                done += batch.num_rows


def _survey(rows: IO[bytes], side: IO[bytes]) -> tuple[Digests, Rows]:
    """Digests of the prompts and lengths of the completions; the completions themselves go to `side`, end to end.

    There an id that is not scored stands as what is below zero by as much as the id is above (its bits turned over).
    """
    digests = bytearray()
    lengths: list[Rows] = []
    for batch in _batches(rows):
        digests += b"".join(hashlib.blake2b(ids, digest_size=16).digest() for ids in _ids(batch.column("prompt_ids")))
        completions, scored = batch.column("completion_ids"), batch.column("completion_scored")
        count = completions.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
        ids = completions.flatten().to_numpy().copy()
        # Rows without marks are scored as a whole; those with marks have one for each id.
        marked = np.repeat(scored.value_lengths().to_numpy(zero_copy_only=False) > 0, count)
        ids[marked] = np.where(scored.flatten().to_numpy() > 0, ids[marked], ~ids[marked])
        side.write(ids.tobytes())
        lengths.append(count)
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
    """Digests of all completions."""
    side.seek(0)
    digests = bytearray()
    for length in lengths.tolist():
        digests += hashlib.blake2b(side.read(length * _WIDTH), digest_size=16).digest()
    return np.frombuffer(digests, "<u8").reshape(-1, 2)


def _looked_up(side: IO[bytes], starts: Rows, lengths: Rows) -> tuple[Any, Any]:
    """The ids that begin at `starts` in the file, as a list column, and which of them are scored, as another.

    One read for each row: the file is in the page cache, and mapping it would count all of it as memory of ours.
    """
    import pyarrow as pa

    handle = side.fileno()
    pieces = zip((starts * _WIDTH).tolist(), (lengths * _WIDTH).tolist(), strict=True)
    ids = np.frombuffer(b"".join(os.pread(handle, size, start) for start, size in pieces), np.int32)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    column = pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), pa.array(np.where(ids < 0, ~ids, ids)))
    # A row whose ids are all scored has no marks; nor has one of which nothing to score is left by the cut.
    unscored = np.diff(np.concatenate([[0], np.cumsum(ids < 0)])[ends])
    partly = (unscored > 0) & (unscored < lengths)
    marks = (ids >= 0)[np.repeat(partly, lengths)].astype(np.int8)
    counts = np.concatenate([[0], np.cumsum(np.where(partly, lengths, 0))]).astype(np.int32)
    return column, pa.ListArray.from_arrays(pa.array(counts), pa.array(marks))
