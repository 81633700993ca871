"""The bytes of single tokens, in the ways in which tokenizers write them."""

from __future__ import annotations

from tiebreak.generation.token_text import TokenTexts, _alphabet
from tiebreak.models.load import load_tokenizer


def test_the_bytes_of_a_texts_tokens_are_the_bytes_of_the_text() -> None:
    tokenizer = load_tokenizer("bundled:base")
    texts = TokenTexts(tokenizer)
    for text in ("The capital of France", "naïve café — 日本語 🦘", "\ttab\nline  two"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert b"".join(texts.data(token) for token in ids) == text.encode()
    broken = tokenizer("🦘", add_special_tokens=False)["input_ids"]
    assert len(broken) > 1
    assert "\ufffd" in texts.text(broken[1])


def test_special_tokens_are_their_names_and_rows_without_a_token_are_nothing() -> None:
    tokenizer = load_tokenizer("bundled:base")
    texts = TokenTexts(tokenizer)
    assert texts.text(tokenizer.eos_token_id) == tokenizer.eos_token
    assert texts.data(10**6) == b""


def test_the_alphabet_has_every_byte_once() -> None:
    assert sorted(_alphabet().values()) == list(range(256))
    assert (_alphabet()["Ġ"], _alphabet()["a"]) == (0x20, 0x61)


def test_bytes_and_word_marks_of_sentencepiece_are_read() -> None:
    class Pieces:
        all_special_ids = ()

        def convert_ids_to_tokens(self, token: int) -> str:
            return ["<0xE2>", "\u2581the", "a"][token]

    texts = TokenTexts(Pieces())  # type: ignore[arg-type]
    assert [texts.data(token) for token in range(3)] == [b"\xe2", b" the", b"a"]
