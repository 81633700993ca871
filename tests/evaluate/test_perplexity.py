"""Perplexity of the plain text: by hand, in other tokens, cut to fit; and the text itself."""

from __future__ import annotations

import math

import pytest

from tiebreak.evaluate.perplexity import (
    ReadText,
    fitting,
    paragraphs,
    perplexity_change,
    plain_text,
    read_alike,
    text_hash,
)


def read(logp: list[float], texts: tuple[str, ...] = ("one two", "three"), split: int = 1) -> ReadText:
    """A text by a tokenizer whose tokens are words, or halves of them."""
    return ReadText(texts, tuple(tuple(range(split * len(text.split()))) for text in texts), tuple(logp))


def test_the_text_is_the_one_that_figures_were_made_with() -> None:
    found = paragraphs()
    assert len(found) == 20
    assert 1500 <= sum(len(each.split()) for each in found) <= 2500
    assert all(each.isascii() and "\n" not in each and "  " not in each for each in found)
    assert (
        text_hash() == "6595ba7fb0973815aa43b8acb15a529cd6803acf19590d48f4a7159a59e3ae4c"
    )  # with another text, figures of before cannot be compared


def test_perplexity_is_e_to_the_mean_loss_of_a_token() -> None:
    before, after = read([-2.0, -4.0]), read([-3.0, -6.0])
    found = perplexity_change(before, after)
    assert found is not None
    assert (found.name, found.unit, found.share) == ("perplexity of plain text", "nats a token", False)
    assert found.before == pytest.approx(math.exp(2))  # 6 nats over 3 tokens
    assert found.after == pytest.approx(math.exp(3))
    assert found.difference.value == pytest.approx(1.0)
    # Drawn twice, the first paragraph has 1/2 a token more and the second 2.
    assert found.difference.low == pytest.approx(0.5)
    assert found.difference.high == pytest.approx(2.0)


def test_other_tokens_are_compared_by_the_byte() -> None:
    before, after = read([-2.0, -4.0]), read([-2.0, -4.0], split=2)
    found = perplexity_change(before, after)
    assert found is not None
    assert (found.name, found.unit) == ("bits per byte of plain text", "bits a byte")
    assert found.before == found.after == pytest.approx(6 / math.log(2) / len("one twothree"))
    assert (found.difference.value, found.difference.low, found.difference.high) == (0.0, 0.0, 0.0)


def test_only_paragraphs_that_both_read_alike_count() -> None:
    before, after = read([-2.0, -4.0]), read([-5.0, -4.0], ("one", "three"))
    assert read_alike(before, after) == [1]
    found = perplexity_change(before, after)
    assert found is not None
    assert found.before == pytest.approx(math.exp(4))
    assert found.difference.value == 0.0
    assert (plain_text(before, after).paragraphs, plain_text(before, after).words) == (1, 1)
    nothing = read([0.0, 0.0], ("", ""))
    assert perplexity_change(nothing, nothing) is None
    assert plain_text(nothing, nothing).paragraphs == 0


def test_a_loss_beyond_numbers_is_infinite() -> None:
    found = perplexity_change(read([-2.0, -4.0]), read([-2000.0, -4000.0]))
    assert found is not None
    assert found.after == math.inf
    assert found.difference.value == pytest.approx(1998.0)


@pytest.mark.parametrize(
    ("room", "left"),
    [(None, "a b c d"), (9, "a b c d"), (4, "a b c d"), (3, "a b c"), (1, "a"), (0, ""), (-1, "")],
)
def test_words_that_do_not_fit_are_left_out_at_the_end(room: int | None, left: str) -> None:
    assert fitting("a b c d", room, lambda text: len(text.split())) == left
