"""From texts to token ids, and from ids to Arrow: as fast as the tokenizer allows.

Knows tokenizers; knows nothing of rows or of how long they may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tiebreak.data.render import Template

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Ids = list[int]


def encode_prompts(tokenizer: PreTrainedTokenizerBase, texts: list[str], template: Template) -> list[list[int]]:
    """Token ids of texts that an ending will follow, in training and in generation alike.

    Args:
        tokenizer: the model's tokenizer.
        texts: from `render.prompt_text`.
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


def column_of_ids(rows: Sequence[Ids]) -> Any:
    """As `pyarrow.array` would make it of lists, without looking at each number to guess what it is."""
    import pyarrow as pa

    ends = np.cumsum([0, *map(len, rows)], dtype=np.int32)
    ids = np.fromiter(chain.from_iterable(rows), np.int32, count=ends[-1])
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(ids))
