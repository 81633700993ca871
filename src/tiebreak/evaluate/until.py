"""A text that comes in pieces, ended where one of some marks would begin; white space around it can be left out."""

from __future__ import annotations

from collections.abc import Sequence


class Until:
    """Takes the pieces of a text and gives back what is certain to belong to it.

    Args:
        marks: texts before which the text ends; none of them is empty.
        strip: leave out white space at either end.
    Attributes:
        ended: whether a mark was met; nothing more comes then.
    """

    def __init__(self, marks: Sequence[str], *, strip: bool = True) -> None:
        self.marks = tuple(marks)
        self.strip = strip
        self.ended = False
        self._held = ""
        self._started = not strip

    def push(self, piece: str) -> str:
        """Take a piece; gives what is certain by now, which may be nothing."""
        if self.ended:
            return ""
        self._held += piece
        found = [at for mark in self.marks if (at := self._held.find(mark)) >= 0]
        if found:
            self._held = self._held[: min(found)]
            self.ended = True
            return self.finish()
        # White space at the end may be the beginning of a mark, or the end of the text.
        keep = len(self._held.rstrip()) if self.strip else len(self._held)
        keep = min([keep, *(safe_length(self._held, mark) for mark in self.marks)])
        given = self._held[:keep] if self._started else self._held[:keep].lstrip()
        if given:  # until then white space is kept too: a mark may begin with it
            self._held = self._held[keep:]
            self._started = True
        return given

    def finish(self) -> str:
        """What is left once no more pieces come."""
        rest, self._held = self._held, ""
        if not self._started:
            rest = rest.lstrip()
        return rest.rstrip() if self.strip else rest


def safe_length(text: str, mark: str) -> int:
    """How many characters of the text cannot be the beginning of a mark that goes on after it."""
    for size in range(min(len(mark) - 1, len(text)), 0, -1):
        if text.endswith(mark[:size]):
            return len(text) - size
    return len(text)
