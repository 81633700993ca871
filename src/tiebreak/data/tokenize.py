"""From text to token ids: prompts and endings apart, so that a pair's prompt is tokenized once and stored once.

An ending is tokenized on its own because that is what generation continues from: the ids of the prompt are fixed
before the first token of the answer is drawn. Tokenizers for which the two do not add up (those that mark the start
of every text) are found out by a probe and given prompt and ending together.

Rows go by in parts of bounded size, and no part waits for another: while the tokenizer, which needs no interpreter,
works on one, the next is read and rendered and the one before is written.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from tiebreak.data.cache import sweep
from tiebreak.data.encode import Ids, column_of_ids, encode_prompts, encode_texts, is_separable
from tiebreak.data.limits import Fitting, Limits, TooLong
from tiebreak.data.partners import add_partners
from tiebreak.data.preference import Kind
from tiebreak.data.render import RenderedRows, Template, render_rows
from tiebreak.errors import InputError
from tiebreak.files import cache_folder, write_json

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

__all__ = [
    "Limits",
    "Tokenized",
    "TooLong",
    "encode_prompts",
    "tokenize_demonstrations",
    "tokenize_labelled",
    "tokenize_preferences",
]

# Rows as text, the ids of their prompts, and for each ending of each row.
Encoded = tuple[RenderedRows, list[Ids], list[list[Ids]]]
# Raise when the same rows may give other ids than before.
EDITION = 2
_ENDINGS: Mapping[Kind, tuple[str, ...]] = {
    "preference": ("chosen", "rejected"),
    "supervised": ("completion",),
    "labelled": ("completion",),
}


@dataclass(frozen=True)
class Tokenized:
    """Token ids of a data set.

    Attributes:
        dataset: columns `prompt_ids`, one column of ids an ending (`chosen_ids`, `rejected_ids` or
            `completion_ids`), `weight`, and `row`: the index of the row in the data set it came from. Labelled rows
            have `label` besides, and `partner_ids`: the completion of a row with another prompt (see `partners`).
        template: the form that the conversations took.
        counts: rows left out or cut, by reason.
    """

    dataset: Dataset
    template: Template
    counts: Mapping[str, int] = field(default_factory=dict)


def tokenize_preferences(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    *,
    template: Template,
    limits: Limits | None = None,
    key: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Tokenized:
    """Tokenize pairs.

    Args:
        dataset: canonical preferences.
        tokenizer: the model's tokenizer; must have an end-of-sequence token.
        template: the form of the conversations.
        limits: lengths, in tokens; the end-of-sequence token counts.
        key: names the contents of the data set; with it the ids are kept on the disk for the next run.
        progress: called with the number of rows done so far.
    Returns:
        Token ids, endings closed by the end-of-sequence token unless they were cut.
    Raises:
        InputError: the tokenizer has no end-of-sequence token.
    """
    return _tokenize(dataset, tokenizer, template, limits or Limits(), "preference", key, progress)


def tokenize_demonstrations(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    *,
    template: Template,
    limits: Limits | None = None,
    key: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Tokenized:
    """Tokenize single endings (supervised training); otherwise as `tokenize_preferences`."""
    return _tokenize(dataset, tokenizer, template, limits or Limits(), "supervised", key, progress)


def tokenize_labelled(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    *,
    template: Template,
    limits: Limits | None = None,
    key: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Tokenized:
    """Tokenize single endings that are called good or bad; otherwise as `tokenize_preferences`.

    A partner that is too long for the prompt it is put after is cut, and never left out.
    """
    return _tokenize(dataset, tokenizer, template, limits or Limits(), "labelled", key, progress)


def _tokenize(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    limits: Limits,
    kind: Kind,
    key: str | None,
    progress: Callable[[int], None] | None,
) -> Tokenized:
    import pyarrow as pa
    from datasets.table import InMemoryTable, MemoryMappedTable

    if tokenizer.eos_token_id is None:
        raise InputError(
            "The tokenizer has no end-of-sequence token, so a model cannot learn where an answer ends.",
            fix="use a tokenizer with an eos_token",
        )
    encoder = _Encoder(tokenizer, template, limits, kind)

    def write(sink: Any, folder: Path | None = None) -> dict[str, int]:
        if kind != "labelled":
            return encoder.write(dataset, sink, progress)
        with TemporaryFile(dir=folder) as alone:  # without a name: nothing is left of it, however this ends
            counts = encoder.write(dataset, alone, progress)
            add_partners(alone, sink, _schema(kind), total=limits.total, folder=folder)
        return counts

    backend = getattr(tokenizer, "backend_tokenizer", None)
    if key is None or backend is None:  # not all that the ids depend on is known
        memory = pa.BufferOutputStream()
        counts = write(memory)
        rows = InMemoryTable.from_buffer(memory.getvalue())
        return Tokenized(dataset.__class__(rows, fingerprint=uuid.uuid4().hex), template, counts)
    known = (EDITION, key, kind, template, str(limits), tokenizer.chat_template, tokenizer.eos_token)
    digest = hashlib.sha256(f"{known}|{backend.to_str()}".encode()).hexdigest()[:40]
    path, counts = _kept(digest, write)
    rows = MemoryMappedTable.from_file(str(path))
    return Tokenized(dataset.__class__(rows, fingerprint=digest), template, counts)


def _kept(digest: str, write: Callable[[Any, Path], dict[str, int]]) -> tuple[Path, dict[str, int]]:
    """The file of ids of that name and the counts beside it, written if they are not there."""
    import pyarrow as pa

    path = cache_folder() / "tokens" / f"{digest}.ids.arrow"
    beside = path.with_suffix(".json")
    if not (path.is_file() and beside.is_file()):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, ".*.draft")
        draft = path.with_name(f".{uuid.uuid4().hex}.draft")
        try:
            with pa.OSFile(str(draft), "wb") as sink:
                told = write(sink, path.parent)
            write_json(beside, told)  # before the rows: who finds those finds both
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    counts: dict[str, int] = json.loads(beside.read_text(encoding="utf-8"))
    return path, counts


def _schema(kind: Kind, *, partners: bool = True) -> Any:
    """The columns of token ids as a `pyarrow.Schema`; those of labelled rows with or without partners."""
    from datasets import Features, List, Value

    ids = List(Value("int32"))
    columns: dict[str, Any] = {"prompt_ids": ids}
    columns |= {f"{ending}_ids": ids for ending in _ENDINGS[kind]}
    if kind == "labelled":
        columns["label"] = Value("bool")
    columns |= {"weight": Value("float64"), "row": Value("int64")}
    if kind == "labelled" and partners:
        columns["partner_ids"] = ids
    return Features(columns).arrow_schema


class _Encoder:
    """From rows of text to rows of ids."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, template: Template, limits: Limits, kind: Kind) -> None:
        self.tokenizer = tokenizer
        self.template = template
        self.fitting = Fitting(limits, tokenizer, template)
        self.kind = kind
        self.separable = is_separable(tokenizer)
        self.schema = _schema(kind, partners=False)

    def write(self, dataset: Dataset, sink: Any, progress: Callable[[int], None] | None) -> dict[str, int]:
        """Write the ids of a data set as an Arrow stream, and count the rows left out or cut, by reason."""
        import pyarrow as pa

        counts: Counter[str] = Counter()
        done = 0
        with pa.ipc.new_stream(sink, self.schema) as stream, ThreadPoolExecutor(1) as pool:
            labelled = self.kind == "labelled"
            texts = render_rows(dataset, _ENDINGS[self.kind], self.tokenizer, self.template, labelled=labelled)
            for part, prompts, ids in _ahead(pool, self._encode, texts):
                stream.write_batch(self._fitted(part, prompts, ids, counts))
                done += len(part.rows) + part.refused
                if progress is not None:
                    progress(done)
        return dict(counts)

    def _encode(self, part: RenderedRows) -> Encoded:
        """The ids of a part's texts, in as few calls as can be: the tokenizer spreads each call over the cores."""
        prompts = encode_prompts(self.tokenizer, part.prompts, self.template)
        eos = int(self.tokenizer.eos_token_id)
        endings = encode_texts(self.tokenizer, [text for said in part.endings for text in said])
        if not self.separable:
            texts = [p + t for said in part.endings for p, t in zip(part.prompts, said, strict=True)]
            whole = encode_prompts(self.tokenizer, texts, self.template)
            before = prompts * len(part.endings)
            endings = [w[len(p) :] if w[: len(p)] == p else e for w, p, e in zip(whole, before, endings, strict=True)]
        for ids in endings:
            ids.append(eos)
        rows = len(prompts)
        return part, prompts, [endings[rows * k : rows * (k + 1)] for k in range(len(part.endings))]

    def _fitted(self, part: RenderedRows, prompts: list[Ids], ids: list[list[Ids]], counts: Counter[str]) -> Any:
        """The rows within their limits as a `pyarrow.RecordBatch`; the others are counted."""
        import pyarrow as pa

        if part.refused:
            counts["the chat template refuses its turns"] += part.refused
        kept: list[tuple[Any, ...]] = []
        # What goes along as it is, in the order of the columns.
        beside = zip(*([part.labels] if part.labels is not None else []), part.weights, part.rows, strict=True)
        columns = zip(beside, part.turns, prompts, *ids, strict=True)
        for along, turns, prompt, *endings in columns:
            fitted, note = self.fitting.fit(turns, prompt, endings)
            if note is not None:
                counts[note] += 1
            if fitted is not None:
                kept.append((fitted[0], *fitted[1], *along))
        made = zip(*kept, strict=True) if kept else ([] for _ in self.schema)
        arrays = [
            column_of_ids(column) if pa.types.is_list(field.type) else pa.array(column, field.type)
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
