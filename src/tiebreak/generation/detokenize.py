"""From the tokens of an answer to its text as it grows: whole characters only, ended where a stop string begins.

Knows tokenizers and texts; knows no model, and not how tokens are drawn.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FinishReason = Literal["stop", "length"]
"""Why an answer ended: at a token or a string that ends it, or because it was as long as it may be."""

# What a decoder writes for bytes that are no whole character (yet).
_BROKEN = "�"


class StopStrings:
    """Takes a text piece by piece, and gives back what is certain to come before any stop string.

    Args:
        stop_strings: strings before which the text ends; none of them is empty.
        strip: drop white space at either end.
        begun: the text goes on with another, so that white space at its beginning is part of it.
    Attributes:
        ended: whether a stop string was met; nothing more comes then.
        passed: characters taken that are given or dropped for good, the text from a stop string on not among them.
    """

    def __init__(self, stop_strings: Sequence[str], *, strip: bool = True, begun: bool = False) -> None:
        self.stop_strings = tuple(stop_strings)
        self.strip = strip
        self.ended = False
        self.passed = 0
        self._held = ""
        self._started = begun or not strip

    def push(self, piece: str) -> str:
        """Take a piece; gives what is certain by now, which may be nothing."""
        if self.ended:
            return ""
        self._held += piece
        found = [at for stop in self.stop_strings if (at := self._held.find(stop)) >= 0]
        if found:
            self._held = self._held[: min(found)]
            self.ended = True
            return self.finish()
        # White space at the end may be the beginning of a stop string, or the end of the text.
        keep = len(self._held.rstrip()) if self.strip else len(self._held)
        keep = min([keep, *(safe_length(self._held, stop) for stop in self.stop_strings)])
        given = self._held[:keep] if self._started else self._held[:keep].lstrip()
        if given:  # until then white space is kept too: a stop string may begin with it
            self._held = self._held[keep:]
            self.passed += keep
            self._started = True
        return given

    def finish(self) -> str:
        """What is left once no more pieces come."""
        rest, self._held = self._held, ""
        self.passed += len(rest)
        if not self._started:
            rest = rest.lstrip()
        return rest.rstrip() if self.strip else rest


def safe_length(text: str, stop: str) -> int:
    """How many characters of a text cannot be the beginning of a stop string that goes on after it."""
    for size in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:size]):
            return len(text) - size
    return len(text)


class Detokenizer:
    """The text of one answer.

    Args:
        tokenizer: of the model.
        stop_strings: strings before which the answer ends.
        strip: drop white space at either end, as answers of a conversation have it.
        as_it_grows: whether text is wanted before the answer is whole; else none is made, unless there are stop
            strings to look for.
        begun: the answer goes on with a text, so that white space at its beginning is part of it.
        marks: special tokens that are part of the text, by their ids; the others are left out.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        stop_strings: Sequence[str],
        *,
        strip: bool,
        as_it_grows: bool = True,
        begun: bool = False,
        marks: Collection[int] = (),
    ) -> None:
        self._tokenizer = tokenizer
        self._marks = frozenset(marks)
        self._stop = StopStrings(stop_strings, strip=strip, begun=begun)
        self._at_once = not as_it_grows and not stop_strings
        self._ids: list[int] = []
        self._shown = 0  # tokens whose text has been given
        self._before = 0  # tokens from which the text is decoded again, since a token's text depends on its neighbours
        self._starts: list[int] = []  # characters before each token, as far as text has been made
        self._made = self._given = 0

    @property
    def ended(self) -> bool:
        """Whether a stop string was met."""
        return self._stop.ended

    def given(self) -> int:
        """How many tokens have had their text given, or begun to be; those of a stop string are not among them."""
        passed = self._stop.passed
        while self._given < len(self._starts):
            after = self._given + 1
            end = self._starts[after] if after < len(self._starts) else self._made
            if self._starts[self._given] >= passed and end > passed:
                break
            self._given = after
        return self._given

    def push(self, token: int) -> str:
        """Take a token; gives the text that is certain by now, which may be nothing."""
        self._ids.append(token)
        self._starts.append(self._made)
        if self._at_once:
            return ""
        return self._stop.push(self._new_text(whole=False))

    def finish(self) -> str:
        """What is left once no more tokens come."""
        rest = self._stop.push(self._new_text(whole=True))
        return rest + self._stop.finish()

    def _new_text(self, *, whole: bool) -> str:
        text = self._decoded(self._before, len(self._ids))
        if text.endswith(_BROKEN) and not whole:
            return ""
        new = text[len(self._decoded(self._before, self._shown)) :]
        if new:  # a token without text does not part the words around it
            self._before, self._shown = self._shown, len(self._ids)
            self._made += len(new)
        return new

    def _decoded(self, start: int, end: int) -> str:
        if start == end:
            return ""
        ids = self._ids[start:end]
        if self._marks.isdisjoint(ids):
            return str(self._tokenizer.decode(ids, skip_special_tokens=True))
        parts = (
            self._tokenizer.decode(list(run), skip_special_tokens=not is_mark)
            for is_mark, run in groupby(ids, self._marks.__contains__)
        )
        return "".join(map(str, parts))
