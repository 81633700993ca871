"""From the tokens of an answer to its text as it grows: whole characters only, ended where a stop text begins."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from tiebreak.evaluate.until import Until

# What a decoder writes for bytes that are no whole character (yet).
_BROKEN = "�"


class AnswerText:
    """The text of one answer.

    Args:
        tokenizer: of the model.
        stops: texts before which the answer ends.
        strip: leave out white space at either end, as answers of a conversation have it.
        as_it_grows: whether text is wanted before the answer is whole; else none is made, unless stop texts are
            looked for.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, stops: Sequence[str], *, strip: bool, as_it_grows: bool = True
    ) -> None:
        self._tokenizer = tokenizer
        self._until = Until(stops, strip=strip)
        self._at_once = not as_it_grows and not stops
        self._ids: list[int] = []
        self._shown = 0  # tokens whose text has been given
        self._before = 0  # tokens from which the text is decoded again, since a token's text depends on its neighbours

    @property
    def ended(self) -> bool:
        """Whether a stop text was met."""
        return self._until.ended

    def push(self, token: int) -> str:
        """Take a token; gives the text that is certain by now, which may be nothing."""
        self._ids.append(token)
        if self._at_once:
            return ""
        return self._until.push(self._new_text(whole=False))

    def finish(self) -> str:
        """What is left once no more tokens come."""
        rest = self._until.push(self._new_text(whole=True))
        return rest + self._until.finish()

    def _new_text(self, *, whole: bool) -> str:
        text = self._decoded(self._before, len(self._ids))
        if text.endswith(_BROKEN) and not whole:
            return ""
        new = text[len(self._decoded(self._before, self._shown)) :]
        self._before, self._shown = self._shown, len(self._ids)
        return new

    def _decoded(self, start: int, end: int) -> str:
        if start == end:
            return ""
        return str(self._tokenizer.decode(self._ids[start:end], skip_special_tokens=True))
