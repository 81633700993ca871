"""Calls of tools in an answer as it grows: which part of it is said, and which calls a tool.

What only looks like a call is text: JSON that is none, or a name that no tool has. An answer ends after its calls: a
small model that goes on would write what the tools said.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from tiebreak.generation.detokenize import safe_length
from tiebreak.generation.tool_notation import Notation, read_call


@dataclass(frozen=True)
class Call:
    """A call of a tool: its name, and its arguments as JSON text."""

    name: str
    arguments: str


class CallReader:
    """Takes an answer piece by piece, and tells calls from text.

    Args:
        notation: how the model writes calls.
        names: of the tools there are.
        several: whether more than one call is wanted.
        begun: whether the answer begins inside a call, after what opens it.
        name: of the tool, where that stands before the answer as well.
    Attributes:
        ended: whether nothing more is wanted of the answer.
    """

    def __init__(
        self,
        notation: Notation,
        names: Collection[str],
        *,
        several: bool = True,
        begun: bool = False,
        name: str | None = None,
    ) -> None:
        self.ended = False
        self._notation, self._names, self._several = notation, frozenset(names), several
        self._openings = sorted(filter(None, notation.openings), key=len, reverse=True)
        self._bare = "" in notation.openings or notation.openings == ()
        self._held, self._said, self._called = "", False, False
        self._given_name = name
        self._state: Literal["text", "call", "after"] = "call" if begun else "text"
        self._body = 0  # where what is called begins in the text that is held
        self._scan = _Scan()

    def push(self, text: str) -> tuple[str, list[Call]]:
        """Take a piece.

        Returns:
            Text that is certain to be said, and the calls that are whole by now.
        """
        return self._read(text, whole=False)

    def finish(self) -> tuple[str, list[Call]]:
        """What is left once no more pieces come."""
        return self._read("", whole=True)

    def _read(self, text: str, *, whole: bool) -> tuple[str, list[Call]]:
        self._held += text
        said, calls = "", []
        while not self.ended:
            before = self._state, len(self._held)
            if self._state == "text":
                said += self._said_so_far(whole)
            elif self._state == "call":
                more, found = self._call(whole)
                said += more
                calls += found
            else:
                self._after(whole)
            if (self._state, len(self._held)) == before:
                break
        return said, calls

    def _said_so_far(self, whole: bool) -> str:
        """Text up to where a call begins, or may begin."""
        held = self._held
        begins = len(held) - len(held.lstrip())
        if self._bare and not self._said and held[begins : begins + 1] in ("{", "["):
            self._enter("", begins)
            return ""
        found = min(((at, mark) for mark in self._openings if (at := held.find(mark)) >= 0), default=None)
        if found is not None:
            at, mark = found
            mark = next(one for one in self._openings if held.startswith(one, at))  # the longest
            self._enter(mark, at)
            return held[:at].rstrip()
        if whole:
            self._held = ""
            return held
        # White space may stand before a call, where it is none of the text.
        keep = min([len(held.rstrip()), *(safe_length(held, mark) for mark in self._openings)])
        keep = len(held[:keep].rstrip())
        self._held = held[keep:]
        self._said = self._said or keep > 0
        return held[:keep]

    def _enter(self, mark: str, at: int) -> None:
        self._state, self._held, self._body = "call", self._held[at:], len(mark)
        self._scan = _Scan()

    def _call(self, whole: bool) -> tuple[str, list[Call]]:
        """The call or the list of calls that is held, once it is whole; text, where it is none."""
        end = self._end_of_value()
        if end is None and not whole:
            return "", []
        raw = self._held
        calls = None if end is None else self._calls_of(raw[:end])
        if calls is None:
            size = len(raw) if end is None else end
            self._state, self._held, self._said = "text", raw[size:], True
            return raw[:size], []
        self._given_name = None
        self._state, self._held, self._called = "after", raw[end:], True
        self.ended = not self._several or not self._notation.several
        return "", calls if self._several else calls[:1]

    def _end_of_value(self) -> int | None:
        """Where the JSON of the call ends; 0 where there is none, None where it is not whole yet."""
        text = self._held
        is_named = self._notation.shape == "named" and self._given_name is None
        begin = self._after_name() if is_named else self._body
        if begin is None:
            return None
        begin += len(text[begin:]) - len(text[begin:].lstrip())
        if begin >= len(text):
            return None
        if text[begin] not in "{[":
            return max(begin, 1)
        return self._scan.end(text, begin)

    def _after_name(self) -> int | None:
        middle = self._notation.middle.strip()
        if not middle:
            at = self._held.find("{", self._body)
            return None if at < 0 else at
        at = self._held.find(middle, self._body)
        return None if at < 0 else at + len(middle)

    def _calls_of(self, raw: str) -> list[Call] | None:
        """The calls that a text makes; None where it makes none."""
        body = raw[self._body :]
        name = self._given_name
        if self._notation.shape == "named" and name is None:
            middle = self._notation.middle.strip()
            name, _, body = body.partition(middle) if middle else (body[: body.find("{")], "", body[body.find("{") :])
            name = name.strip()
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return None
        found: list[tuple[str, Any] | None]
        if name is not None:
            found = [(name, value) if isinstance(value, dict) else None]
        else:
            items = value if isinstance(value, list) else [value]
            found = [read_call(item) if isinstance(item, dict) else None for item in items]
        if not found or any(one is None or one[0] not in self._names for one in found):
            return None
        return [Call(one[0], json.dumps(one[1], ensure_ascii=False)) for one in found if one is not None]

    def _after(self, whole: bool) -> None:
        """Whether another call follows; what else follows a call is none of the answer."""
        held = self._held.lstrip().removeprefix(",").removeprefix(";").lstrip()
        for closing in self._notation.closings:
            if held.startswith(closing):
                self._held = held[len(closing) :]
                return
        for mark in self._openings:
            if held.startswith(mark):
                self._held = held
                self._enter(mark, 0)
                return
        if self._bare and held.startswith(("{", "[")):
            self._held = held
            self._enter("", 0)
            return
        may_come = (*self._notation.closings, *self._openings)
        if whole or not (not held or any(mark.startswith(held) for mark in may_come)):
            self.ended = True


class _Scan:
    """Finds where a JSON value ends that grows at its end; looks at each character once."""

    def __init__(self) -> None:
        self._at: int | None = None
        self._depth, self._in_text, self._escaped = 0, False, False

    def end(self, text: str, begin: int) -> int | None:
        """Where the value ends that begins there; None where it goes on."""
        at = begin if self._at is None else self._at
        while at < len(text):
            sign = text[at]
            at += 1
            if self._escaped:
                self._escaped = False
            elif self._in_text:
                self._escaped, self._in_text = sign == "\\", sign != '"'
            elif sign == '"':
                self._in_text = True
            elif sign in "{[":
                self._depth += 1
            elif sign in "}]":
                self._depth -= 1
                if self._depth == 0:
                    return at
        self._at = at
        return None
