"""From text to token ids: prompts and completions apart, so that a pair's prompt is tokenized once and stored once.

A completion is tokenized on its own because that is what generation continues from: the ids of the prompt are fixed
before the first token of the answer is drawn. Tokenizers for which the two do not add up (those that mark the start
of every text) are found out by a probe and given prompt and completion together.

Rows go by in parts of bounded size, and no part waits for another: while the tokenizer, which needs no interpreter,
works on one, the next is read and rendered and the one before is written.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, Required, TypedDict, Unpack

from tiebreak.data.cache import sweep
from tiebreak.data.preparing.completions import CompletionWriter, Part, RenderedRow, ScoreTurns
from tiebreak.data.preparing.encode import (
    EncodedRow,
    Fitting,
    Ids,
    Limits,
    column_of_ids,
    encode_prompts,
    encode_texts,
    is_separable,
)
from tiebreak.data.preparing.fates import Fates
from tiebreak.data.preparing.kto_mismatch import add_mismatched
from tiebreak.data.preparing.render_rows import RenderedRows, render_rows
from tiebreak.data.preparing.templates import Renderer, SpecialTokens, Template
from tiebreak.errors import InputError
from tiebreak.files import cache_folder, write_json
from tiebreak.tasks import TASKS, Task, TaskName

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

__all__ = [
    "Limits",
    "Tokenized",
    "tokenize_demonstrations",
    "tokenize_for",
    "tokenize_preferences",
    "tokenize_unpaired",
]

# Rows as text and as ids.
Encoded = tuple[RenderedRows, list[EncodedRow]]
# Raise when the same rows may give other ids than before.
_EDITION = 3


@dataclass(frozen=True)
class Tokenized:
    """Token ids of a data set.

    Attributes:
        dataset: columns `prompt_ids`, one column of ids a completion (`chosen_ids`, `rejected_ids` or
            `completion_ids`) and one of which are scored (`chosen_scored` and so on: 1 or 0 for each id, or nothing
            where all are), `weight`, and `row`: the index of the row in the data set it came from. Unpaired rows have
            `label` besides, and `mismatched_ids` and `mismatched_scored`: the completion of a row with another prompt
            (`kto_mismatch`).
        template: the form that the conversations took.
        counts: rows dropped or cut, by reason.
        notes: rows that are kept and whose template does not write them as others, by what was done.
        examples: the first few rows of each reason, by their ids or their numbers in the data set, from 1.
    """

    dataset: Dataset
    template: Template
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class TokenizeOptions(TypedDict, total=False):
    """How rows are tokenized, as for `tokenize_for`; the template has to be said."""

    template: Required[Template]
    limits: Limits | None
    score_turns: ScoreTurns
    special_tokens: SpecialTokens
    key: str | None
    progress: Callable[[int], None] | None


def tokenize_preferences(
    dataset: Dataset, tokenizer: PreTrainedTokenizerBase, **options: Unpack[TokenizeOptions]
) -> Tokenized:
    """Tokenize pairs; as `tokenize_for`."""
    return tokenize_for(dataset, tokenizer, "preference", **options)


def tokenize_demonstrations(
    dataset: Dataset, tokenizer: PreTrainedTokenizerBase, **options: Unpack[TokenizeOptions]
) -> Tokenized:
    """Tokenize single completions (supervised training); as `tokenize_for`."""
    return tokenize_for(dataset, tokenizer, "supervised", **options)


def tokenize_unpaired(
    dataset: Dataset, tokenizer: PreTrainedTokenizerBase, **options: Unpack[TokenizeOptions]
) -> Tokenized:
    """Tokenize single completions that are called good or bad; as `tokenize_for`.

    A mismatched completion that is too long for the prompt it is put after is cut, and never dropped.
    """
    return tokenize_for(dataset, tokenizer, "unpaired", **options)


def tokenize_for(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    name: TaskName,
    *,
    template: Template,
    limits: Limits | None = None,
    score_turns: ScoreTurns = "all",
    special_tokens: SpecialTokens = "text",
    key: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Tokenized:
    """Tokenize the rows of a task.

    Args:
        dataset: canonical rows.
        tokenizer: the model's tokenizer; must have an end-of-sequence token.
        name: of the task that the rows are for.
        template: the form of the conversations.
        limits: lengths, in tokens; the end-of-sequence token counts.
        score_turns: which of the assistant's turns are scored in a completion of several.
        special_tokens: what special tokens in the text of messages are: text, or parsed as special tokens.
        key: names the contents of the data set; with it the ids are kept on the disk for the next run.
        progress: a callback, called with the number of rows done so far.
    Returns:
        Token ids, completions closed by the end-of-sequence token unless they were cut.
    Raises:
        InputError: the tokenizer has no end-of-sequence token.
    """
    import pyarrow as pa
    from datasets.table import InMemoryTable, MemoryMappedTable

    if tokenizer.eos_token_id is None:
        raise InputError(
            "The tokenizer has no end-of-sequence token, so a model cannot learn where an answer ends.",
            fix="use a tokenizer with an eos_token",
        )
    task, limits = TASKS[name], limits or Limits()
    writer = CompletionWriter(Renderer(tokenizer, template, special_tokens), score_turns)
    encoder = _Encoder(writer, limits, task)

    def write(sink: Any, folder: Path | None = None) -> Fates:
        if not task.borrows:
            return encoder.write(dataset, sink, progress)
        with TemporaryFile(dir=folder) as alone:  # without a name: nothing is left of it, however this ends
            found = encoder.write(dataset, alone, progress)
            add_mismatched(alone, sink, _columns(task), total=limits.total, folder=folder)
        return found

    backend = getattr(tokenizer, "backend_tokenizer", None)
    if key is None or backend is None:  # not all that the ids depend on is known
        memory = pa.BufferOutputStream()
        found = write(memory)
        rows = InMemoryTable.from_buffer(memory.getvalue())
        return _tokenized(dataset, rows, uuid.uuid4().hex, template, found)
    setting = (template, str(limits), score_turns, special_tokens)
    known = (_EDITION, key, name, *setting, tokenizer.chat_template, tokenizer.eos_token)
    digest = hashlib.sha256(f"{known}|{backend.to_str()}".encode()).hexdigest()[:40]
    path, found = _kept(digest, write)
    rows = MemoryMappedTable.from_file(str(path))
    return _tokenized(dataset, rows, digest, template, found)


def _tokenized(dataset: Dataset, table: Any, fingerprint: str, template: Template, found: Fates) -> Tokenized:
    made = dataset.__class__(table, fingerprint=fingerprint)
    return Tokenized(made, template, dict(found.counts), dict(found.notes), found.named(dataset))


def _kept(digest: str, write: Callable[[Any, Path], Fates]) -> tuple[Path, Fates]:
    """The file of ids of that name and what became of the rows, beside it, written if they are not there."""
    import pyarrow as pa

    path = cache_folder() / "tokens" / f"{digest}.ids.arrow"
    beside = path.with_suffix(".json")
    if not (path.is_file() and beside.is_file()):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, ".*.draft")
        draft = path.with_name(f".{uuid.uuid4().hex}.draft")
        try:
            with pa.OSFile(str(draft), "wb") as sink:
                made = write(sink, path.parent)
            write_json(beside, made.to_json())  # before the rows: who finds those finds both
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    found = json.loads(beside.read_text(encoding="utf-8"))
    return path, Fates.from_json(found)


def _columns(task: Task, *, mismatched: bool = True) -> Any:
    """The columns of token ids as a `pyarrow.Schema`, with or without the ids of mismatched completions."""
    from datasets import Features, List, Value

    ids, marks = List(Value("int32")), List(Value("int8"))
    columns: dict[str, Any] = {"prompt_ids": ids}
    columns |= {f"{name}_ids": ids for name in task.text_columns}
    columns |= {f"{name}_scored": marks for name in task.text_columns}
    if task.has_label:
        columns["label"] = Value("bool")
    columns |= {"weight": Value("float64"), "row": Value("int64")}
    if mismatched and task.borrows:
        columns |= {"mismatched_ids": ids, "mismatched_scored": marks}
    return Features(columns).arrow_schema


class _Encoder:
    """From rows of text to rows of ids."""

    def __init__(self, writer: CompletionWriter, limits: Limits, task: Task) -> None:
        self.writer = writer
        self.tokenizer = writer.renderer.tokenizer
        self.template = writer.renderer.template
        self.fitting = Fitting(limits, writer.renderer)
        self.task = task
        self.separable = is_separable(self.tokenizer)
        self.schema = _columns(task, mismatched=False)

    def write(self, dataset: Dataset, sink: Any, progress: Callable[[int], None] | None) -> Fates:
        """Write the ids of a data set as an Arrow stream, and say what became of its rows."""
        import pyarrow as pa

        found = Fates()
        done = 0
        with pa.ipc.new_stream(sink, self.schema) as stream, ThreadPoolExecutor(1) as pool:
            texts = render_rows(dataset, self.task.text_columns, self.writer, labels=self.task.has_label)
            for part, rows in _ahead(pool, self._encode, texts):
                stream.write_batch(self._fitted(part, rows, found))
                done += len(part.rows) + len(part.refused)
                if progress is not None:
                    progress(done)
        return found

    def _encode(self, part: RenderedRows) -> Encoded:
        """The ids of a part's texts, in as few calls as can be: the tokenizer spreads each call over the cores."""
        prompts = encode_prompts(self.tokenizer, [text.prompt for text in part.texts], self.template)
        said = [(text, parts) for text in part.texts for parts in text.completions]
        pieces = encode_texts(self.tokenizer, [piece for _, parts in said for piece, _ in parts])
        if not self.separable:
            before = [ids for ids, text in zip(prompts, part.texts, strict=True) for _ in text.completions]
            pieces = self._together(said, before, pieces)
        following = iter(pieces)
        closed = iter([self._closed(parts, [next(following) for _ in parts]) for _, parts in said])
        rows = []
        for prompt, text in zip(prompts, part.texts, strict=True):
            completions, scored = zip(*(next(closed) for _ in text.completions), strict=True)
            rows.append(EncodedRow(prompt, completions, scored))
        return part, rows

    def _together(
        self, said: list[tuple[RenderedRow, tuple[Part, ...]]], before: list[Ids], alone: list[Ids]
    ) -> list[Ids]:
        """The ids that pieces have after what stands before them, where those of the two do not change each other."""
        texts = [
            text.prompt + "".join(piece for piece, _ in parts[: count + 1])
            for text, parts in said
            for count in range(len(parts))
        ]
        whole = iter(encode_prompts(self.tokenizer, texts, self.template))
        following = iter(alone)
        pieces: list[Ids] = []
        for (_, parts), so_far in zip(said, before, strict=True):
            for _ in parts:
                ids, own = next(whole), next(following)
                pieces.append(ids[len(so_far) :] if ids[: len(so_far)] == so_far else own)
                so_far = ids
        return pieces

    def _closed(self, parts: tuple[Part, ...], pieces: list[Ids]) -> tuple[Ids, list[int]]:
        """The ids of a completion with the end-of-sequence token, and which of them are scored; none is all of them."""
        ids = [id_ for piece in pieces for id_ in piece]
        ids.append(int(self.tokenizer.eos_token_id))
        if all(is_scored for _, is_scored in parts):
            return ids, []
        return ids, [int(mark) for (_, mark), piece in zip(parts, pieces, strict=True) for _ in piece] + [1]

    def _fitted(self, part: RenderedRows, rows: list[EncodedRow], found: Fates) -> Any:
        """The rows within their limits as a `pyarrow.RecordBatch`; the others are counted."""
        import pyarrow as pa

        for row, reason in part.refused.items():
            found.count(reason, row)
        kept: list[tuple[Any, ...]] = []
        # What goes along as it is, in the order of the columns.
        beside = zip(*([part.labels] if part.labels is not None else []), part.weights, part.rows, strict=True)
        columns = zip(beside, part.rows, part.turns, part.tools, part.texts, rows, strict=True)
        for along, number, turns, tools, text, row in columns:
            fitted, done = self.fitting.fit(row, turns, tools, cut=text.cut)
            if done is not None:
                found.count(done, number)
            if fitted is not None:
                kept.append((fitted.prompt, *fitted.completions, *fitted.scored, *along))
                if text.note is not None:
                    found.note(text.note, number)
        made = zip(*kept, strict=True) if kept else ([] for _ in self.schema)
        arrays = [
            column_of_ids(column, field.type.value_type.to_pandas_dtype())
            if pa.types.is_list(field.type)
            else pa.array(column, field.type)
            for column, field in zip(made, self.schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def _ahead(
    pool: ThreadPoolExecutor, work: Callable[[RenderedRows], Encoded], parts: Iterator[RenderedRows]
) -> Iterator[Encoded]:
    """The work on each part in order, one part ahead of whoever takes them."""
    waiting: Future[Encoded] | None = None
    for part in parts:
        following = pool.submit(work, part)
        if waiting is not None:
            yield waiting.result()
        waiting = following
    if waiting is not None:
        yield waiting.result()
