"""Rows of JSON lines, one at a time.

Knows JSON and nothing of columns; holds one line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tiebreak.data.bytestreams import BOM, ByteStream, decoded, lines, magic
from tiebreak.data.problems import OnBad, quoted, shown
from tiebreak.data.rows import Row
from tiebreak.errors import InputError


def read_json_lines(stream: ByteStream, on_bad: OnBad) -> Iterator[Row]:
    """Rows of a `.jsonl` file: one object a line; blank lines are passed over."""
    first = True
    for number, line in lines(stream, on_bad):
        where = f"{stream.name}:{number}"
        if first:
            first = False
            line = line.removeprefix(BOM)
            refuse_other_formats(line, stream.name)
        try:
            text = decoded(line, where)
            if not text.strip():
                continue
            yield Row(where, _object(text, where), number)
        except InputError as error:
            on_bad(error)


def refuse_other_formats(head: bytes, name: str) -> None:
    """Refuse a file whose first bytes are not those of JSON lines.

    Raises:
        InputError: with what they are.
    """
    found = magic(head)
    if found:
        raise InputError(
            f"The file holds {found} data, not text.", where=name, fix="give it the extension of what it holds"
        )
    if head.lstrip()[:1] == b"[":
        raise InputError(
            "The file ends in .jsonl but holds a JSON array.",
            where=name,
            fix="rename it to .json, or write one row a line",
        )


def _object(text: str, where: str) -> Mapping[str, Any]:
    """One JSON object, refused with a reason if it is anything else."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"The row is not JSON: {error.msg} at character {error.pos + 1}, near {quoted(_near(text, error.pos))}.",
            where=where,
            fix="correct the row, or leave such rows out with --skip-bad-rows",
        ) from None
    except RecursionError:
        raise InputError("The row is nested too deeply to be read.", where=where) from None
    except ValueError as error:  # a number with more digits than Python converts
        raise InputError(f"The row cannot be read: {error}.", where=where) from None
    return checked_row(value, text, where)


def checked_row(value: Any, text: str, where: str) -> Mapping[str, Any]:
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
            fix="correct the row, or leave such rows out with --skip-bad-rows",
        )
    if "\\ud" in text or "\\uD" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"The row holds half a character, {error.object[error.start : error.end]!a}, which is no Unicode text.",
                where=where,
                fix="correct the row, or leave such rows out with --skip-bad-rows",
            ) from None
    return value


def _near(text: str, position: int) -> str:
    return text[max(0, position - 10) : position + 20].strip("\n")
