"""The rows of a data set as text, in parts, so that a large one needs no more memory than a small one.

Knows columns of canonical rows; what is written of a row is elsewhere (`completions`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise, repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from tiebreak.data.cache import batches
from tiebreak.data.preference import Message
from tiebreak.data.preparing.completions import CompletionWriter, RenderedRow
from tiebreak.data.preparing.templates import Refused

if TYPE_CHECKING:
    from datasets import Dataset

# Text of a part: enough for a tokenizer to share out among the cores, and a few megabytes as ids.
_BYTES_A_PART = 256 << 10
_KEYS = tuple(each.name for each in fields(Message))


@dataclass(frozen=True, slots=True)
class RenderedRows:
    """A part of the rows of a data set as text; all lists are alike in length.

    Attributes:
        rows: index of each in the data set; weights: of each in the loss.
        turns: the conversation so far; tools: the tools of each; texts: prompt and completions as text.
        labels: whether each row's completion is good; None where labels were not asked for.
        refused: rows beside these that cannot be written, by reason.
    """

    rows: list[int]
    weights: list[float]
    turns: list[tuple[Message, ...]]
    tools: list[str | None]
    texts: list[RenderedRow]
    labels: list[bool] | None = None
    refused: dict[int, str] = field(default_factory=dict)


def render_rows(
    dataset: Dataset, completions: Sequence[str], writer: CompletionWriter, *, labels: bool = False
) -> Iterator[RenderedRows]:
    """The rows of a data set as text, in order, in parts of bounded size.

    Args:
        dataset: canonical rows.
        completions: names of the columns of completions.
        writer: writes a row.
        labels: whether to read the column `label`.
    """
    start = 0
    seldom = [name for name in ("tools", *(f"{each}_turns" for each in completions)) if name in dataset.column_names]
    for table in _parts(dataset, ("prompt", *completions, "weight", *(["label"] if labels else []), *seldom)):
        conversations = _conversations(table, "prompt")
        tools = table.column("tools").to_pylist() if "tools" in seldom else [None] * table.num_rows
        said = [_completions(table, name) for name in completions]
        weights = table.column("weight").to_pylist()
        good = table.column("label").to_pylist() if labels else None
        texts: dict[int, RenderedRow] = {}
        refused: dict[int, str] = {}
        for i, turns in enumerate(conversations):
            try:
                texts[i] = writer.row(turns, [column[i] for column in said], tools[i])
            except Refused as refusal:  # a system turn, one speaker twice, tools: the row is dropped
                refused[start + i] = refusal.reason
        yield RenderedRows(
            rows=[start + i for i in texts],
            weights=[weights[i] for i in texts],
            turns=[conversations[i] for i in texts],
            tools=[tools[i] for i in texts],
            texts=list(texts.values()),
            labels=None if good is None else [good[i] for i in texts],
            refused=refused,
        )
        start += table.num_rows


def _completions(table: Any, name: str) -> list[tuple[Message, ...]]:
    """The turns of each completion: those of its own column, or its text as one."""
    texts = table.column(name).to_pylist()
    several = _conversations(table, f"{name}_turns") if f"{name}_turns" in table.column_names else [()] * len(texts)
    return [turns or (Message("assistant", text),) for turns, text in zip(several, texts, strict=True)]


def _conversations(table: Any, name: str) -> list[tuple[Message, ...]]:
    """The turns of each row of a list column of messages."""
    import pyarrow as pa

    column = table.column(name).combine_chunks()
    if not pa.types.is_list(column.type) or not pa.types.is_struct(column.type.value_type):
        return [()] * table.num_rows  # a column that no row fills may have no type
    turns = column.flatten()
    has = {key.name for key in turns.type if turns.field(key.name).null_count < len(turns)}
    columns = [turns.field(key).to_pylist() if key in has else repeat(None, len(turns)) for key in _KEYS]
    messages = [Message(*each) for each in zip(*columns, strict=True)]
    ends = (column.offsets.to_numpy() - column.offsets[0].as_py()).tolist()
    return [tuple(messages[start:end]) for start, end in pairwise(ends)]


def _parts(dataset: Dataset, columns: tuple[str, ...]) -> Iterator[Any]:
    """The rows in order, as small `pyarrow.Table`s."""
    for table in _blocks(dataset, columns):
        step = max(1, table.num_rows * _BYTES_A_PART // max(table.nbytes, 1))
        for start in range(0, table.num_rows, step):
            yield table.slice(start, step)


def _blocks(dataset: Dataset, columns: tuple[str, ...]) -> Iterator[Any]:
    """As `batches`, and so too for a selection that keeps the order: one pass over the file, whose pages are left."""
    rows = None if dataset._indices is None else dataset._indices.column(0).to_numpy()
    if rows is None or bool((rows[1:] < rows[:-1]).any()):
        yield from batches(dataset, columns)
        return
    start = 0
    for table in batches(dataset.__class__(dataset.data, fingerprint="all"), columns):
        first, last = np.searchsorted(rows, [start, start + table.num_rows])
        if first < last:
            yield table.take(rows[first:last] - start)
        start += table.num_rows
