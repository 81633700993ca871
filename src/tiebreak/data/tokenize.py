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
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from tiebreak.data.preference import Message
from tiebreak.data.render import RenderedRows, Template, prompt_text, render_rows
from tiebreak.errors import InputError
from tiebreak.files import cache_folder, write_json

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

TooLong = Literal["drop", "trim_prompt", "trim_completion"]
Ids = list[int]
# Rows as text, the ids of their prompts, and for each ending of each row.
Encoded = tuple[RenderedRows, list[Ids], list[list[Ids]]]
# Raise when the same rows may give other ids than before.
EDITION = 1


@dataclass(frozen=True)
class Limits:
    """The longest sequences allowed, in tokens, and what happens to longer ones; None is no limit."""

    total: int | None = None
    prompt: int | None = None
    completion: int | None = None
    too_long: TooLong = "drop"


@dataclass(frozen=True)
class Tokenized:
    """Token ids of a data set.

    Attributes:
        dataset: columns `prompt_ids`, one column of ids an ending (`chosen_ids`, `rejected_ids` or
            `completion_ids`), `weight`, and `row`: the index of the row in the data set it came from.
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
    return _tokenize(dataset, tokenizer, template, limits or Limits(), ("chosen", "rejected"), key, progress)


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
    return _tokenize(dataset, tokenizer, template, limits or Limits(), ("completion",), key, progress)


def _tokenize(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    limits: Limits,
    endings: tuple[str, ...],
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

    def write(sink: Any) -> dict[str, int]:
        return _Encoder(tokenizer, template, limits, endings).write(dataset, sink, progress)

    backend = getattr(tokenizer, "backend_tokenizer", None)
    if key is None or backend is None:  # not all that the ids depend on is known
        memory = pa.BufferOutputStream()
        counts = write(memory)
        rows = InMemoryTable.from_buffer(memory.getvalue())
        return Tokenized(dataset.__class__(rows, fingerprint=uuid.uuid4().hex), template, counts)
    known = (EDITION, key, endings, template, str(limits), tokenizer.chat_template, tokenizer.eos_token)
    digest = hashlib.sha256(f"{known}|{backend.to_str()}".encode()).hexdigest()[:40]
    path, counts = _kept(digest, write)
    rows = MemoryMappedTable.from_file(str(path))
    return Tokenized(dataset.__class__(rows, fingerprint=digest), template, counts)


def _kept(digest: str, write: Callable[[Any], dict[str, int]]) -> tuple[Path, dict[str, int]]:
    """The file of ids of that name and the counts beside it, written if they are not there."""
    import pyarrow as pa

    path = cache_folder() / "tokens" / f"{digest}.ids.arrow"
    beside = path.with_suffix(".json")
    if not (path.is_file() and beside.is_file()):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{uuid.uuid4().hex}.draft")
        try:
            with pa.OSFile(str(draft), "wb") as sink:
                told = write(sink)
            write_json(beside, told)  # before the rows: who finds those finds both
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    counts: dict[str, int] = json.loads(beside.read_text(encoding="utf-8"))
    return path, counts


def _features(endings: Sequence[str]) -> Any:
    from datasets import Features, List, Value

    ids = List(Value("int32"))
    columns: dict[str, Any] = {"prompt_ids": ids}
    columns |= {f"{ending}_ids": ids for ending in endings}
    return Features({**columns, "weight": Value("float64"), "row": Value("int64")})


class _Encoder:
    """From rows of text to rows of ids."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, template: Template, limits: Limits, endings: tuple[str, ...]
    ) -> None:
        self.tokenizer = tokenizer
        self.template = template
        self.limits = limits
        self.names = endings
        self.separable = is_separable(tokenizer)
        self.schema = _features(endings).arrow_schema

    def write(self, dataset: Dataset, sink: Any, progress: Callable[[int], None] | None) -> dict[str, int]:
        """Write the ids of a data set as an Arrow stream, and count the rows left out or cut, by reason."""
        import pyarrow as pa

        counts: Counter[str] = Counter()
        done = 0
        with pa.ipc.new_stream(sink, self.schema) as stream, ThreadPoolExecutor(1) as pool:
            texts = render_rows(dataset, self.names, self.tokenizer, self.template)
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
        endings = _encode(self.tokenizer, [text for said in part.endings for text in said])
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
        columns = zip(part.rows, part.weights, part.turns, prompts, *ids, strict=True)
        for row, weight, turns, prompt, *endings in columns:
            fitted, note = self._fit(turns, prompt, endings)
            if note is not None:
                counts[note] += 1
            if fitted is not None:
                kept.append((fitted[0], *fitted[1], weight, row))
        made = zip(*kept, strict=True) if kept else ([] for _ in self.schema)
        arrays = [
            _column_of_ids(column) if pa.types.is_list(field.type) else pa.array(column, field.type)
            for column, field in zip(made, self.schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _fit(
        self, turns: tuple[Message, ...], prompt: Ids, endings: list[Ids]
    ) -> tuple[tuple[Ids, list[Ids]] | None, str | None]:
        """The pair within its limits, or None, and what was done to it."""
        limits = self.limits
        longest = max(map(len, endings))
        room = _least(limits.prompt, None if limits.total is None else limits.total - longest)
        prompt_over = room is not None and len(prompt) > room
        ending_over = limits.completion is not None and longest > limits.completion
        if not prompt_over and not ending_over:
            return (prompt, endings), None
        if limits.too_long == "trim_prompt" and not ending_over and room is not None and room > 0:
            shorter = self._drop_turns(turns, room)
            if shorter is not None:
                return (shorter, endings), "prompt trimmed"
        if limits.too_long == "trim_completion" and not (limits.prompt is not None and len(prompt) > limits.prompt):
            most = _least(limits.completion, None if limits.total is None else limits.total - len(prompt))
            if most is not None and most > 0:
                cut = [ids[:most] for ids in endings]
                if len({tuple(ids) for ids in cut}) == len(endings):
                    return (prompt, cut), "completion trimmed"
                return None, "equal after trimming"
        return None, "too long"

    def _drop_turns(self, turns: tuple[Message, ...], room: int) -> Ids | None:
        """The prompt without its oldest turns, keeping a system turn and the last turn, within `room` tokens."""
        system = turns[:1] if turns and turns[0].role == "system" else ()
        rest = turns[len(system) :]
        for start in range(1, len(rest)):
            if rest[start].role != "user":
                continue
            text = prompt_text((*system, *rest[start:]), self.tokenizer, self.template)
            ids = encode_prompts(self.tokenizer, [text], self.template)[0]
            if len(ids) <= room:
                return ids
        return None


def _column_of_ids(rows: Sequence[Ids]) -> Any:
    """As `pyarrow.array` would make it of lists, without looking at each number to guess what it is."""
    import pyarrow as pa

    ends = np.cumsum([0, *map(len, rows)], dtype=np.int32)
    ids = np.fromiter(chain.from_iterable(rows), np.int32, count=ends[-1])
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(ids))


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


def encode_prompts(tokenizer: PreTrainedTokenizerBase, texts: list[str], template: Template) -> list[list[int]]:
    """Token ids of texts that an ending will follow, in training and in generation alike.

    Args:
        tokenizer: the model's tokenizer.
        texts: from `render.prompt_text`.
        template: the form of the texts. A chat template writes its own special tokens; plain text gets the
            tokenizer's start token, if it has one.
    """
    if template == "chat":
        return _encode(tokenizer, texts)
    ids = _encode(tokenizer, texts, special=True)
    eos = tokenizer.eos_token_id  # some tokenizers close every text; here the text goes on
    return [row[:-1] if len(row) > 1 and row[-1] == eos else row for row in ids]


def _encode(tokenizer: PreTrainedTokenizerBase, texts: list[str], *, special: bool = False) -> list[Ids]:
    if not texts:
        return []
    if not _is_plain(tokenizer):
        ids: list[Ids] = tokenizer(texts, add_special_tokens=special, return_attention_mask=False)["input_ids"]
        return ids
    # What calling the tokenizer would do, without the offsets and texts of the tokens, which nobody asks for.
    backend = cast(Any, tokenizer).backend_tokenizer
    if backend.truncation is not None:
        backend.no_truncation()
    if backend.padding is not None:
        backend.no_padding()
    if backend.encode_special_tokens != tokenizer.split_special_tokens:
        backend.encode_special_tokens = tokenizer.split_special_tokens
    return [encoding.ids for encoding in backend.encode_batch_fast(texts, add_special_tokens=special)]


def _is_plain(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether calling the tokenizer is calling its Rust part: no model's class has changed what a call does."""
    from transformers import PreTrainedTokenizerFast

    names = ("__call__", "_encode_plus", "_convert_encoding", "backend_tokenizer")
    return all(getattr(type(tokenizer), name, None) is getattr(PreTrainedTokenizerFast, name) for name in names)


def is_separable(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the ids of a text are the ids of its parts, one after the other (byte-level tokenizers: yes)."""
    parts = ("one two\n", " three", "four", "\nfive")
    together = tokenizer.decode(
        [i for part in parts for i in tokenizer(part, add_special_tokens=False)["input_ids"]],
        clean_up_tokenization_spaces=False,
    )
    return bool(together == "".join(parts))


def _least(*values: int | None) -> int | None:
    given = [value for value in values if value is not None]
    return min(given) if given else None
