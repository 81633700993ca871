"""What a single token stands for: its text, and its bytes, which need not be a whole character.

Knows how tokenizers write bytes (byte-level alphabets, `<0x0A>`, the word mark of SentencePiece).
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_WORD_MARK = "\u2581"


class TokenTexts:
    """The texts of a tokenizer's tokens.

    Args:
        tokenizer: of the model.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._special = set(tokenizer.all_special_ids) | set(getattr(tokenizer, "added_tokens_decoder", {}))
        backend = getattr(tokenizer, "backend_tokenizer", None)
        self._byte_level = "ByteLevel" in repr(getattr(backend, "decoder", None))

    def data(self, token: int) -> bytes:
        """The bytes that a token stands for."""
        piece = self._tokenizer.convert_ids_to_tokens(token)
        if not isinstance(piece, str):  # beyond the tokenizer's own: models have rows that no token uses
            return b""
        if token in self._special:
            return piece.encode()
        if found := _BYTE.fullmatch(piece):
            return bytes([int(found[1], 16)])
        if self._byte_level and all(character in _alphabet() for character in piece):
            return bytes(_alphabet()[character] for character in piece)
        return piece.replace(_WORD_MARK, " ").encode(errors="replace")

    def text(self, token: int) -> str:
        """The text of a token; signs for bytes that are no whole character."""
        return self.data(token).decode(errors="replace")


@cache
def _alphabet() -> dict[str, int]:
    """The character that byte-level tokenizers write for each byte: itself where it can be seen, else one from 256 on.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners" (GPT-2).
    """
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in seen]
    return {chr(byte): byte for byte in seen} | {chr(256 + i): byte for i, byte in enumerate(others)}
