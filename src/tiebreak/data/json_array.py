"""Rows of a JSON array, piece by piece: a window slides over the file and never holds more than one long row.

Knows JSON and nothing of columns.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from tiebreak.data.bytestreams import BOM, DAMAGE, LONGEST_LINE, ByteStream, damaged, decoded
from tiebreak.data.json_lines import checked_row, read_json_lines, refuse_other_formats
from tiebreak.data.problems import OnBad, quoted
from tiebreak.data.rows import Row
from tiebreak.errors import InputError

_CHUNK = 1 << 16


def read_json(stream: ByteStream, on_bad: OnBad) -> Iterator[Row]:
    """Rows of a `.json` file: an array of objects, read piece by piece, or JSON lines under that name."""
    try:
        head = stream.data.read(_CHUNK)
    except DAMAGE as error:
        on_bad(damaged(stream.name, 0, error))
        return
    start = head.removeprefix(BOM).lstrip()
    refuse_other_formats(b"" if start[:1] == b"[" else start, stream.name)
    if start[:1] == b"{":
        yield from read_json_lines(ByteStream(_Rejoined(head, stream.data), stream.raw, stream.name), on_bad)  # type: ignore[arg-type]
    elif start[:1] == b"[":
        yield from _array(stream, start[1:], on_bad)
    elif start:
        found = quoted(start[:40].decode("utf-8", "replace"))
        raise InputError(
            f"A .json file is an array of objects or one object a line; found {found}.",
            where=stream.name,
        )


class _Rejoined:
    """A stream whose first bytes were read already."""

    def __init__(self, head: bytes, rest: Any) -> None:
        self._head = head
        self._rest = rest

    def readline(self, limit: int) -> bytes:
        if not self._head:
            line: bytes = self._rest.readline(limit)
            return line
        end = self._head.find(b"\n") + 1
        if end:
            line, self._head = self._head[:end], self._head[end:]
            return line
        line, self._head = self._head + self._rest.readline(limit), b""
        return line


def _array(stream: ByteStream, head: bytes, on_bad: OnBad) -> Iterator[Row]:
    """Elements of a JSON array whose opening bracket was read."""
    text = _Text(stream, head)
    decoder = json.JSONDecoder()
    for number in itertools.count(1):
        where = f"{stream.name}:{number}"
        try:
            if text.skip(" \t\r\n") == "]":
                return
            if number > 1:
                if text.skip("") != ",":
                    raise _broken(where, text, "expected a comma or the closing bracket")
                text.position += 1
            if text.skip(" \t\r\n") != "{":
                raise _broken(where, text, "expected an object")
            value, source = text.decode(decoder)
        except json.JSONDecodeError as error:
            on_bad(_broken(where, text, error.msg))
            return
        except RecursionError:
            on_bad(InputError("The row is nested too deeply to be read.", where=where))
            return
        except InputError as error:
            on_bad(error)
            return
        except DAMAGE as error:
            on_bad(damaged(stream.name, number - 1, error))
            return
        except ValueError as error:
            on_bad(InputError(f"The row cannot be read: {error}.", where=where))
            return
        try:
            yield Row(where, checked_row(value, source, where), number)
        except InputError as error:
            on_bad(error)


def _broken(where: str, text: _Text, reason: str) -> InputError:
    near = text.buffer[text.position : text.position + 40]
    found = f"near {quoted(near)}" if near else "where the file ends"
    return InputError(
        f"The JSON array breaks off here: {reason}, {found}.",
        where=where,
        fix="correct the file; --skip-bad-rows keeps the rows before this one",
    )


class _Text:
    """A window on the text of a stream that slides forward and grows only as far as one element needs."""

    def __init__(self, stream: ByteStream, head: bytes) -> None:
        self._stream = stream
        self._bytes = b""
        self._ended = False
        self.buffer = ""
        self.position = 0
        self._feed(head)

    def skip(self, blanks: str) -> str:
        """The next character that is not one of `blanks`, or nothing at the end."""
        while True:
            while self.position < len(self.buffer):
                if self.buffer[self.position] not in blanks:
                    return self.buffer[self.position]
                self.position += 1
            if not self._grow(_CHUNK):
                return ""

    def decode(self, decoder: json.JSONDecoder) -> tuple[Any, str]:
        """The element at the position and its text; the position moves past it."""
        size = _CHUNK
        while True:
            try:
                value, end = decoder.raw_decode(self.buffer, self.position)
            except json.JSONDecodeError as error:
                # An element that the window cuts fails near the window's end, or with an open string; then ask for
                # more, twice as much each time, so that a long element costs no more than a few attempts.
                cut = error.pos > len(self.buffer) - 16 or error.msg.startswith("Unterminated string")
                if not cut or len(self.buffer) - self.position > LONGEST_LINE or not self._grow(size):
                    raise
                size *= 2
                continue
            source = self.buffer[self.position : end]
            self.buffer, self.position = self.buffer[end:] if end > _CHUNK else self.buffer, 0 if end > _CHUNK else end
            return value, source

    def _grow(self, size: int) -> bool:
        if self._ended:
            return False
        self.buffer, self.position = self.buffer[self.position :], 0
        chunk = self._stream.data.read(size)
        self._ended = not chunk
        self._feed(chunk)
        return bool(chunk)

    def _feed(self, chunk: bytes) -> None:
        data = self._bytes + chunk
        try:
            self.buffer += data.decode("utf-8")
            self._bytes = b""
        except UnicodeDecodeError as error:
            cut = error.start >= len(data) - 3 and error.reason == "unexpected end of data" and not self._ended
            if not cut:
                decoded(data, self._stream.name)
            self.buffer += data[: error.start].decode("utf-8")
            self._bytes = data[error.start :]
