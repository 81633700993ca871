"""Small conversations and tokenizers, and what becomes of them."""

from __future__ import annotations

from typing import Any

from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from tests.training.small import word_tokenizer
from tiebreak.data.preference import Message, Preference
from tiebreak.data.preparing.encode import Limits
from tiebreak.data.preparing.tokenize import Tokenized, tokenize_preferences

USER = (Message("user", "t10 t11"),)
TURNS = (
    Message("system", "t9"),
    Message("user", "t10 t11 t12"),
    Message("assistant", "t13"),
    Message("user", "t14"),
)


def canonical(*rows: Preference) -> Dataset:
    """Pairs as a data set of canonical rows."""
    return Dataset.from_list([row.to_row() for row in rows])


def tokenized(*rows: Preference, **limits: Any) -> Tokenized:
    """The token ids of pairs, for a tokenizer of words."""
    return tokenize_preferences(canonical(*rows), word_tokenizer(), template="transcript", limits=Limits(**limits))


def marked_tokenizer() -> PreTrainedTokenizerFast:
    """Begins and ends every text with a mark, cuts long ones and pads short ones, unless that is switched off."""
    words = {"<s>": 0, "</s>": 1, "<unk>": 2, "\u2581": 3, "a": 4, "b": 5}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Split("\u2581", "isolated")]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
