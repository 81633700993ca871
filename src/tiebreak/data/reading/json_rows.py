"""Rows of JSON: one object a line, or an array of objects.

Knows JSON and nothing of columns. Holds one line; of an array a window that slides over the file and is never longer
than one long row.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from tiebreak.data.reading.json_whole import rows_of_object
from tiebreak.data.reading.rows import OnBad, Row, Values, quoted, shown
from tiebreak.data.reading.streams import BOM, DAMAGE, LONGEST_LINE, ByteStream, damaged, decoded, lines, magic
from tiebreak.errors import InputError

_CHUNK = 1 << 16
_LOOKED_AT = 2000
REPEATED_KEY = (
    f"a key that stands twice in an object: the last one counts (looked for in the first {_LOOKED_AT:,} rows)"
)


def _read_lines(stream: ByteStream, on_bad: OnBad) -> Iterator[Row]:
    """Rows of JSON lines: one object a line; blank lines are passed over."""
    first = True
    for number, line in lines(stream, on_bad):
        where = f"{stream.name}:{number}"
        if first:
            first = False
            line = line.removeprefix(BOM)
            _refuse_other_formats(line, stream.name)
        try:
            text = decoded(line, where)
            if not text.strip():
                continue
            values = _object(text, where)
            yield Row(where, values, number, _repeated(text) if number <= _LOOKED_AT else None)
        except InputError as error:
            on_bad(error)


def _refuse_other_formats(head: bytes, name: str) -> None:
    """Refuse a file whose first bytes are not those of JSON lines.

    Raises:
        InputError: with what they are.
    """
    found = magic(head)
    if found:
        raise InputError(
            f"The file holds {found} data, not text.", where=name, fix="give it the extension of what it holds"
        )


def _object(text: str, where: str) -> Values:
    """One JSON object, refused with a reason if it is anything else."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"The row is not JSON: {error.msg} at character {error.pos + 1}, near {quoted(_near(text, error.pos))}.",
            where=where,
            fix="correct the row, or skip such rows with --skip-bad-rows",
        ) from None
    except RecursionError:
        raise InputError("The row is nested too deeply to be read.", where=where) from None
    except ValueError as error:  # a number with more digits than Python converts
        raise InputError(f"The row cannot be read: {error}.", where=where) from None
    return _checked_row(value, text, where)


def _checked_row(value: Any, text: str, where: str) -> Values:
    """A decoded row, if it is an object whose text can be written again.

    Args:
        value: what was decoded.
        text: what it was decoded from.
        where: named in errors.
    Raises:
        InputError: it is something else, or holds half a surrogate pair.
    """
    if not isinstance(value, dict):
        raise InputError(
            f"A row is an object with columns; found {shown(value)}.",
            where=where,
            fix="correct the row, or skip such rows with --skip-bad-rows",
        )
    if "\\ud" in text or "\\uD" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"The row holds half a character, {error.object[error.start : error.end]!a}, which is no Unicode text.",
                where=where,
                fix="correct the row, or skip such rows with --skip-bad-rows",
            ) from None
    return value


def _near(text: str, position: int) -> str:
    return text[max(0, position - 10) : position + 20].strip("\n")


def read_json_lines(stream: ByteStream, on_bad: OnBad) -> Iterator[Row]:
    """Rows of a `.jsonl` file: one object a line, or what else is found under that name."""
    yield from read_json(stream, on_bad, strict=False)


def read_json(stream: ByteStream, on_bad: OnBad, *, strict: bool = True) -> Iterator[Row]:
    """Rows of JSON: an array of objects, read piece by piece, JSON lines, or one object that stands for rows.

    Args:
        stream: an open file.
        on_bad: called for what cannot be read.
        strict: refuse what begins like none of these; else its first line is a row that cannot be read.
    """
    try:
        head = stream.data.read(_CHUNK)
    except DAMAGE as error:
        on_bad(damaged(stream.name, 0, error))
        return
    start = head.removeprefix(BOM).lstrip()
    _refuse_other_formats(b"" if start[:1] == b"[" else start, stream.name)
    if start[:1] == b"{" or (start and not strict and start[:1] != b"["):
        rejoined = _Rejoined(head, stream.data)
        whole = _whole_object(rejoined)
        if whole is not None:
            yield from _of_object(*whole, stream.name, on_bad)
            return
        yield from _read_lines(ByteStream(rejoined, stream.raw, stream.name), on_bad)  # type: ignore[arg-type]
    elif start[:1] == b"[":
        yield from _array(stream, start[1:], on_bad)
    elif start:
        found = quoted(start[:40].decode("utf-8", "replace"))
        raise InputError(
            f"A .json file is an array of objects or one object a line; found {found}.",
            where=stream.name,
        )


def _of_object(value: dict[str, Any], text: str, name: str, on_bad: OnBad) -> Iterator[Row]:
    try:
        rows = rows_of_object(_checked_row(value, text, f"{name}:1"))
    except InputError as error:
        on_bad(InputError(error.what, where=error.where or name, fix=error.fix))
        return
    remark = _repeated(text)
    for number, values in enumerate(rows, 1):
        yield Row(f"{name}:{number}", values, number, remark if number == 1 else None)


def _whole_object(stream: _Rejoined) -> tuple[dict[str, Any], str] | None:
    """The object that a file is, if it is a single one, and its text; all that was read is put back."""
    text = b""
    try:
        text = first = stream.readline(LONGEST_LINE)
        while (line := stream.readline(LONGEST_LINE)) and not line.strip():
            text += line
        text += line
        if line and _is_open(first):
            while len(text) < LONGEST_LINE and (line := stream.readline(LONGEST_LINE)):
                text += line
        elif line:
            return None
    except DAMAGE:
        return None
    finally:
        stream.put_back(text)
    try:
        said = text.removeprefix(BOM).decode("utf-8")
        value = json.loads(said)
    except (ValueError, RecursionError):
        return None
    return (value, said) if isinstance(value, dict) else None


def _is_open(line: bytes) -> bool:
    """Whether a line is the beginning of an object that goes on: JSON that breaks off at its end."""
    text = line.removeprefix(BOM).decode("utf-8", "replace").rstrip()
    if not line.endswith(b"\n"):
        return False
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.pos >= len(text) and text.endswith(("{", "[", ",", ":", "}", "]"))
    except (ValueError, RecursionError):
        return False
    return False


def _repeated(text: str) -> str | None:
    """A remark on a row in which a key stands twice, at any depth: the last one counts, as JSON's readers have it."""
    twice = False

    def keys(pairs: list[tuple[str, Any]]) -> None:
        nonlocal twice
        twice = twice or len(pairs) > len({key for key, _ in pairs})

    json.loads(text, object_pairs_hook=keys)
    return REPEATED_KEY if twice else None


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

    def put_back(self, data: bytes) -> None:
        """Have bytes that were read be read again."""
        self._head = data + self._head


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
            remark = _repeated(source) if number <= _LOOKED_AT else None
            yield Row(where, _checked_row(value, source, where), number, remark)
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
