"""From texts to token ids, as fast as the tokenizer allows, and no longer than the limits allow.

Knows tokenizers and turns; knows nothing of files or columns. The words for what was done to a row are those that a run
reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from tiebreak.data.preference import Message
from tiebreak.data.preparing.templates import Refused, Renderer, Template
from tiebreak.data.preparing.typed_tokens import is_hidden_in, typed_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Ids = list[int]
TooLong = Literal["drop", "trim_prompt", "trim_completion", "trim"]


def encode_prompts(tokenizer: PreTrainedTokenizerBase, texts: list[str], template: Template) -> list[list[int]]:
    """Token ids of texts that a completion will follow, in training and in generation alike.

    Args:
        tokenizer: the model's tokenizer.
        texts: from `templates.Renderer`.
        template: the form of the texts. A chat template writes its own special tokens; plain text gets the
            tokenizer's start token, if it has one.
    """
    if template == "chat":
        return encode_texts(tokenizer, texts)
    ids = encode_texts(tokenizer, texts, special=True)
    eos = tokenizer.eos_token_id  # some tokenizers close every text; here the text goes on
    return [row[:-1] if len(row) > 1 and row[-1] == eos else row for row in ids]


def encode_texts(tokenizer: PreTrainedTokenizerBase, texts: list[str], *, special: bool = False) -> list[Ids]:
    """Token ids of texts, each for itself, with or without the special tokens that the tokenizer puts around a text."""
    if not texts:
        return []
    if any(map(is_hidden_in, texts)):
        typed = typed_tokens(tokenizer)
        rest = iter(encode_texts(tokenizer, [text for text in texts if not is_hidden_in(text)], special=special))
        return [typed.encode(text, special=special) if is_hidden_in(text) else next(rest) for text in texts]
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


def column_of_ids(rows: Sequence[Ids], type: Any = np.int32) -> Any:
    """As `pyarrow.array` would make it of lists, without looking at each number to guess what it is."""
    import pyarrow as pa

    ends = np.cumsum([0, *map(len, rows)], dtype=np.int32)
    ids = np.fromiter(chain.from_iterable(rows), type, count=ends[-1])
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(ids))


@dataclass(frozen=True)
class Limits:
    """The longest sequences allowed, in tokens, and what happens to longer ones; None is no limit."""

    total: int | None = None
    prompt: int | None = None
    completion: int | None = None
    too_long: TooLong = "drop"


@dataclass(frozen=True)
class EncodedRow:
    """A row as token ids.

    Attributes:
        prompt: ids of the prompt.
        completions: ids of each completion, at least one.
        scored: of each completion, 1 for each id that is scored and 0 for the others; empty where all are.
    """

    prompt: Ids
    completions: tuple[Ids, ...]
    scored: tuple[list[int], ...]


@dataclass(frozen=True)
class Fitting:
    """Brings rows within limits; shorter prompts are rendered and tokenized anew, since a template may close turns."""

    limits: Limits
    renderer: Renderer

    def fit(
        self, row: EncodedRow, turns: tuple[Message, ...], tools: str | None = None, *, cut: int | None = 0
    ) -> tuple[EncodedRow | None, str | None]:
        """The row within its limits, or None, and what was done to it, if anything.

        Args:
            row: as it is.
            turns, tools: of the prompt.
            cut: characters that the prompt leaves out at its end; None is a prompt that cannot be rendered by itself.
        """
        limits = self.limits
        longest = max(map(len, row.completions))
        room = _least(limits.prompt, None if limits.total is None else limits.total - longest)
        prompt_over = room is not None and len(row.prompt) > room
        completion_over = limits.completion is not None and longest > limits.completion
        if not prompt_over and not completion_over:
            return row, None
        if limits.too_long == "trim":
            return self._cut(row)
        if limits.too_long == "trim_prompt" and not completion_over and room is not None and room > 0:
            shorter = None if cut is None else self._drop_turns(turns, tools, cut, room)
            if shorter is not None:
                return replace(row, prompt=shorter), "prompt trimmed"
        if limits.too_long == "trim_completion" and not (limits.prompt is not None and len(row.prompt) > limits.prompt):
            most = _least(limits.completion, None if limits.total is None else limits.total - len(row.prompt))
            if most is not None and most > 0:
                return _trimmed(row, most)
        return None, "too long"

    def _cut(self, row: EncodedRow) -> tuple[EncodedRow | None, str]:
        """The row cut token by token: prompts from their beginning, completions from their end, until all fits.

        Each side has its own limit first; of a total that is still too small each has one half, and what the other
        does not need.
        """
        limits, longest = self.limits, max(map(len, row.completions))
        prompt = row.prompt if limits.prompt is None else row.prompt[-limits.prompt :]
        most = longest if limits.completion is None else min(longest, limits.completion)
        if limits.total is not None:
            most = min(most, max(limits.total - len(prompt), limits.total - limits.total // 2))
            prompt = prompt[-max(1, limits.total - most) :]
        cut, said = _trimmed(row, most)
        if cut is None:
            return None, said
        sides = [("prompt", len(prompt) < len(row.prompt)), ("completion", most < longest)]
        return replace(cut, prompt=prompt), f"{' and '.join(name for name, was_cut in sides if was_cut)} trimmed"

    def _drop_turns(self, turns: tuple[Message, ...], tools: str | None, cut: int, room: int) -> Ids | None:
        """The prompt without its oldest turns, keeping a system turn and the last turn, within `room` tokens."""
        renderer = self.renderer
        system = turns[:1] if turns and turns[0].role == "system" else ()
        rest = turns[len(system) :]
        for start in range(1, len(rest)):
            if rest[start].role != "user":
                continue
            try:
                text = renderer.prompt((*system, *rest[start:]), tools)
            except Refused:
                continue
            ids = encode_prompts(renderer.tokenizer, [text[: len(text) - cut]], renderer.template)[0]
            if len(ids) <= room:
                return ids
        return None


def _trimmed(row: EncodedRow, most: int) -> tuple[EncodedRow | None, str]:
    """The row with completions of so many tokens, unless that leaves nothing to tell apart or to score."""
    cut = tuple(ids[:most] for ids in row.completions)
    if len({tuple(ids) for ids in cut}) < len(cut):
        return None, "equal after trimming"
    scored = tuple(marks[:most] for marks in row.scored)
    if any(marks and not any(marks) for marks in scored):
        return None, "nothing to score after trimming"
    return replace(row, completions=cut, scored=scored), "completion trimmed"


def _least(*values: int | None) -> int | None:
    given = [value for value in values if value is not None]
    return min(given) if given else None
