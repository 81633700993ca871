"""How well a model still predicts plain English: its perplexity on a fixed text that ships with the package.

What training on preferences changes besides manners shows here: a model that forgets its language finds ordinary prose
less likely. The text (`plain_text.txt`) has nothing to do with any data set. Knows the text and what models say of it;
runs no model.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tiebreak.evaluate.bootstrap import mean_over_prompts
from tiebreak.evaluate.changes import Change

_TEXT = Path(__file__).with_name("plain_text.txt")


@dataclass(frozen=True)
class ReadText:
    """What a model says of the plain text, paragraph by paragraph.

    Attributes:
        texts: the paragraphs, as far as they fit the model.
        ids: the tokens of each, by the model's tokenizer.
        logp: log-prob of each after the token that begins a text, in nats.
    """

    texts: tuple[str, ...]
    ids: tuple[tuple[int, ...], ...]
    logp: tuple[float, ...]


@dataclass(frozen=True)
class PlainText:
    """What two models were measured on.

    Attributes:
        sha256: of the whole text.
        paragraphs: that both models read alike.
        words: of these.
    """

    sha256: str
    paragraphs: int
    words: int


def paragraphs() -> list[str]:
    """The paragraphs of the plain text."""
    return _TEXT.read_text(encoding="utf-8").strip().split("\n\n")


def text_hash() -> str:
    """SHA-256 of the plain text: figures on another text are not comparable."""
    return hashlib.sha256(_TEXT.read_bytes()).hexdigest()


def fitting(text: str, room: int | None, tokens: Callable[[str], int]) -> str:
    """A text without the words at its end that a model has no room for.

    Args:
        text: words with single spaces between them.
        room: tokens that there is room for; None is any number.
        tokens: how many a text has.
    Returns:
        Empty where not even a word fits.
    """
    if room is None or tokens(text) <= room:
        return text
    words = text.split(" ")
    return " ".join(words[: bisect_right(range(1, len(words)), room, key=lambda n: tokens(" ".join(words[:n])))])


def read_alike(before: ReadText, after: ReadText) -> list[int]:
    """The paragraphs that two models have both read, and as far as each other."""
    return [i for i, (one, other) in enumerate(zip(before.texts, after.texts, strict=True)) if one and one == other]


def plain_text(before: ReadText, after: ReadText) -> PlainText:
    """What two models are compared on."""
    shared = read_alike(before, after)
    return PlainText(text_hash(), len(shared), sum(len(before.texts[i].split()) for i in shared))


def perplexity_change(before: ReadText, after: ReadText, *, seed: int = 0) -> Change | None:
    """How the perplexity of plain text changed, as a line of the table of changes.

    Where both models cut the text into the same tokens: perplexity, e to the mean loss of a token, and the difference
    of the mean losses in nats a token. Else tokens are of different length, and both are bits per byte.

    Args:
        before, after: what each model says of the text.
        seed: of the bootstrap, which draws paragraphs.
    Returns:
        None where there is no paragraph that both read alike.
    """
    shared = read_alike(before, after)
    if not shared:
        return None
    same_tokens = all(before.ids[i] == after.ids[i] for i in shared)
    size = [len(before.ids[i]) if same_tokens else len(before.texts[i].encode()) for i in shared]
    unit = 1.0 if same_tokens else math.log(2)
    losses = [[-read.logp[i] / unit for i in shared] for read in (before, after)]
    first, second = (sum(loss) / sum(size) for loss in losses)
    # Each token, or byte, counts the same: so a paragraph counts as often as it has them, and is drawn as a whole.
    lead = [(new - old) / many for old, new, many in zip(*losses, size, strict=True)]
    difference = mean_over_prompts(np.repeat(lead, size), np.repeat(shared, size).tolist(), seed=seed)
    if same_tokens:
        shown = (_perplexity(first), _perplexity(second))
        return Change("perplexity of plain text", *shown, difference, share=False, unit="nats a token")
    return Change("bits per byte of plain text", first, second, difference, share=False, unit="bits a byte")


def _perplexity(loss: float) -> float:
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf
