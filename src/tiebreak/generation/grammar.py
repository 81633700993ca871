"""Answers that are JSON: at each step only tokens can be drawn that go on with a text of the wanted form.

The work is done by llguidance, the extra `json`. Knows tokenizers, grammars and logits.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor

from tiebreak.errors import InputError, RunError

if TYPE_CHECKING:
    from llguidance._lib import JsonCompileOptions
    from transformers import PreTrainedTokenizerBase

ANY_OBJECT: Mapping[str, Any] = {"type": "object"}
# White space is fixed: a small model that may write as much of it as it likes writes nothing else.
_OPTIONS: JsonCompileOptions = {"whitespace_flexible": False}


class Constraint(Protocol):
    """What the tokens of one answer must keep to.

    Attributes:
        ended: whether nothing can follow.
    """

    ended: bool

    def masked(self, logits: Tensor) -> Tensor:
        """The logits of the next token, shape (vocabulary,), with minus infinity where a token cannot follow."""
        ...

    def accept(self, token: int) -> None:
        """Take note of the token that was drawn."""
        ...


class Grammars:
    """Makes the constraints of a model's answers.

    Args:
        tokenizer: of the model.
        vocabulary: rows of the model's logits.
        end_tokens: tokens that end an answer.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, vocabulary: int, end_tokens: frozenset[int]) -> None:
        self._made: Any = None
        self._parts = tokenizer, vocabulary, sorted(end_tokens)

    def json(self, schema: Mapping[str, Any]) -> Constraint:
        """The constraint of one answer that is JSON of a schema.

        Raises:
            InputError: the library is missing, the tokenizer is none it knows, or the schema cannot be followed.
        """
        if importlib.util.find_spec("llguidance") is None:
            raise InputError(
                "Answers of a given form need a package that is not installed here: llguidance.",
                fix='pip install "tiebreak[json]"',
            )
        from llguidance import LLMatcher

        try:
            grammar = LLMatcher.grammar_from_json_schema(json.dumps(schema), defaults=_OPTIONS)
        except ValueError as error:
            raise InputError(f"The schema cannot be followed: {_first_line(str(error))}") from None
        matcher = LLMatcher(self._tokenizer(), grammar, log_level=0)
        if matcher.is_error():
            raise InputError(f"The schema cannot be followed: {_first_line(matcher.get_error())}")
        return _Matching(matcher)

    def _tokenizer(self) -> Any:
        if self._made is None:
            from llguidance.hf import from_tokenizer

            tokenizer, vocabulary, end_tokens = self._parts
            try:
                self._made = from_tokenizer(cast(Any, tokenizer), n_vocab=vocabulary, eos_token=end_tokens or None)
            except ValueError:
                raise InputError("This model's tokenizer does not allow answers of a given form.") from None
        return self._made


class _Matching:
    """A `Constraint` by llguidance."""

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher
        self.ended = False

    def masked(self, logits: Tensor) -> Tensor:
        """As in `Constraint`."""
        words = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        allowed = torch.from_numpy(np.unpackbits(words, bitorder="little")[: len(logits)].astype(bool))
        self._check()
        refused = torch.ones(len(logits), dtype=torch.bool)
        refused[: len(allowed)] = ~allowed
        return logits.masked_fill(refused.to(logits.device), float("-inf"))

    def accept(self, token: int) -> None:
        """As in `Constraint`."""
        self._matcher.consume_token(token)
        self._check()
        self.ended = self._matcher.is_stopped()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise RunError(f"The form of the answer could not be kept: {_first_line(self._matcher.get_error())}")


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return f"{lines[0][:200].rstrip('.')}." if lines else "no reason is given."
