"""From text to token ids: prompts and endings apart, so that a pair's prompt is tokenized once and stored once.

An ending is tokenized on its own because that is what generation continues from: the ids of the prompt are fixed
before the first token of the answer is drawn. Tokenizers for which the two do not add up (those that mark the start
of every text) are found out by a probe and given prompt and ending together.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tiebreak.data.batches import batches
from tiebreak.data.preference import Message, messages_from
from tiebreak.data.render import Template, ending_text, prompt_text
from tiebreak.errors import InputError
from tiebreak.files import cache_folder

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

TooLong = Literal["drop", "trim_prompt", "trim_completion"]
# Raise when the same rows may give other ids than before.
EDITION = 1
_ACCEPTED = (Message("user", "Hello"),)  # stands in for a conversation that is left out
IGNORED_KEEP = -1  # a row that is left out, while a batch is being mapped


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
    if tokenizer.eos_token_id is None:
        raise InputError(
            "The tokenizer has no end-of-sequence token, so a model cannot learn where an answer ends.",
            fix="use a tokenizer with an eos_token",
        )
    if not len(dataset):  # nothing is held out: `map` would give a data set without columns
        nothing = dataset.from_dict({name: [] for name in _features(endings)}, features=_features(endings))
        return Tokenized(nothing.remove_columns("note"), template)
    encode = _Encoder(tokenizer, template, limits, endings, progress)
    mapped = dataset.map(
        encode,
        batched=True,
        batch_size=1000,
        with_indices=True,
        remove_columns=dataset.column_names,
        features=_features(endings),
        **_kept_as(key, tokenizer, template, limits, endings),
    )
    counts = Counter(reason for batch in batches(mapped, ("note",)) for reason in batch["note"].to_pylist() if reason)
    kept = mapped.filter(
        lambda rows: [row != IGNORED_KEEP for row in rows],
        input_columns="row",
        batched=True,
        load_from_cache_file=False,
        keep_in_memory=True,  # of the rows' numbers only
        new_fingerprint=uuid.uuid4().hex,
    )
    return Tokenized(kept.remove_columns("note"), template, dict(counts))


def _kept_as(
    key: str | None,
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    limits: Limits,
    endings: tuple[str, ...],
) -> dict[str, Any]:
    """Where `Dataset.map` keeps the ids: under the hash of all they depend on, or in memory where that is not known."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if key is None or backend is None:
        return {"keep_in_memory": True, "load_from_cache_file": False, "new_fingerprint": uuid.uuid4().hex}
    known = (EDITION, key, endings, template, str(limits), tokenizer.chat_template, tokenizer.eos_token)
    digest = hashlib.sha256(f"{known}|{backend.to_str()}".encode()).hexdigest()[:40]
    folder = cache_folder() / "tokens"
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "cache_file_name": str(folder / f"{digest}.arrow"),
        "load_from_cache_file": True,
        "new_fingerprint": digest,
    }


def _features(endings: Sequence[str]) -> Any:
    from datasets import Features, List, Value

    ids = List(Value("int32"))
    columns: dict[str, Any] = {"prompt_ids": ids}
    columns |= {f"{ending}_ids": ids for ending in endings}
    return Features({**columns, "weight": Value("float64"), "row": Value("int64"), "note": Value("string")})


class _Encoder:
    """The function that `Dataset.map` calls with a batch of canonical rows."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        template: Template,
        limits: Limits,
        endings: tuple[str, ...],
        progress: Callable[[int], None] | None,
    ) -> None:
        self.tokenizer = tokenizer
        self.template = template
        self.limits = limits
        self.endings = endings
        self.progress = progress
        self.separable = is_separable(tokenizer)

    def __call__(self, batch: Mapping[str, list[Any]], indices: list[int]) -> dict[str, list[Any]]:
        conversations = [messages_from(turns) for turns in batch["prompt"]]
        # A template may refuse a conversation (a system turn, one speaker twice): that row is left out, by name.
        refused = {i for i, turns in enumerate(conversations) if not self._renders(turns)}
        if refused:
            conversations = [_ACCEPTED if i in refused else turns for i, turns in enumerate(conversations)]
        prompts = [prompt_text(turns, self.tokenizer, self.template) for turns in conversations]
        prompt_ids = self._ids(prompts, start=True)
        ending_ids = [self._ending_ids(conversations, prompts, prompt_ids, batch[name]) for name in self.endings]
        out: dict[str, list[Any]] = {"prompt_ids": [], "weight": list(batch["weight"]), "row": [], "note": []}
        out |= {f"{name}_ids": [] for name in self.endings}
        for i, index in enumerate(indices):
            fitted, note = self._fit(conversations[i], prompt_ids[i], [ids[i] for ids in ending_ids])
            if i in refused:
                fitted, note = None, "the chat template refuses its turns"
            keep = fitted is not None
            prompt, ends = fitted or ([], [[] for _ in self.endings])
            out["prompt_ids"].append(prompt)
            for name, ids in zip(self.endings, ends, strict=True):
                out[f"{name}_ids"].append(ids)
            out["row"].append(index if keep else IGNORED_KEEP)
            out["note"].append(note)
        if self.progress is not None:
            self.progress(indices[-1] + 1)
        return out

    def _renders(self, turns: tuple[Message, ...]) -> bool:
        try:
            prompt_text(turns, self.tokenizer, self.template)
        except InputError:
            return False
        return True

    def _ids(self, texts: list[str], *, start: bool) -> list[list[int]]:
        return encode_prompts(self.tokenizer, texts, self.template) if start else _encode(self.tokenizer, texts)

    def _ending_ids(
        self,
        conversations: list[tuple[Message, ...]],
        prompts: list[str],
        prompt_ids: list[list[int]],
        endings: list[str],
    ) -> list[list[int]]:
        texts = [
            ending_text(turns, ending, self.tokenizer, self.template)
            for turns, ending in zip(conversations, endings, strict=True)
        ]
        eos = [int(self.tokenizer.eos_token_id)]
        if self.separable:
            return [ids + eos for ids in self._ids(texts, start=False)]
        whole = self._ids([p + t for p, t in zip(prompts, texts, strict=True)], start=True)
        apart = self._ids(texts, start=False)
        return [
            (w[len(p) :] if w[: len(p)] == p else a) + eos for w, p, a in zip(whole, prompt_ids, apart, strict=True)
        ]

    def _fit(
        self, turns: tuple[Message, ...], prompt: list[int], endings: list[list[int]]
    ) -> tuple[tuple[list[int], list[list[int]]] | None, str | None]:
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

    def _drop_turns(self, turns: tuple[Message, ...], room: int) -> list[int] | None:
        """The prompt without its oldest turns, keeping a system turn and the last turn, within `room` tokens."""
        system = turns[:1] if turns and turns[0].role == "system" else ()
        rest = turns[len(system) :]
        for start in range(1, len(rest)):
            if rest[start].role != "user":
                continue
            ids = self._ids([prompt_text((*system, *rest[start:]), self.tokenizer, self.template)], start=True)[0]
            if len(ids) <= room:
                return ids
        return None


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


def _encode(tokenizer: PreTrainedTokenizerBase, texts: list[str], *, special: bool = False) -> list[list[int]]:
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=special, return_attention_mask=False)["input_ids"]
    return ids


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
