"""Bytes and lines of a file that may be compressed, with damage reported where it is.

Knows compression, encodings and line ends; knows nothing of JSON, CSV or rows.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import zstandard

from tiebreak.data.reading.rows import OnBad
from tiebreak.errors import InputError

BOM = b"\xef\xbb\xbf"
_UTF16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
LONGEST_LINE = 256 << 20
DAMAGE = (EOFError, OSError, zlib.error, zstandard.ZstdError)
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"\xff\xff\xff\xff": "arrow",
    b"PK\x03\x04": "zip",
    b"SQLite format 3": "sqlite",
}


@dataclass(frozen=True)
class ByteStream:
    """An open file: its decompressed bytes, and the file below, whose position shows the progress."""

    data: BinaryIO
    raw: IO[bytes]
    name: str


@contextmanager
def open_bytes(path: Path, name: str) -> Iterator[ByteStream]:
    """Open a file for reading, decompressing `.gz` and `.zst` on the way.

    Args:
        path: the file.
        name: what errors call it.
    Raises:
        InputError: it cannot be opened, or its first bytes contradict its extension.
    """
    try:
        raw = path.open("rb")
    except OSError as error:
        raise InputError(f"The file cannot be opened: {error.strerror}.", where=name) from None
    with raw:
        kind = COMPRESSIONS.get(path.suffix.lower())
        found = magic(raw.peek(16)[:16])
        if not path.suffix and found in COMPRESSIONS.values():  # no extension: by content
            kind = found
        if kind and found != kind and raw.peek(1):
            raise InputError(
                f"The file ends in {path.suffix} but does not hold {kind} data.",
                where=name,
                fix="give it the extension of what it holds",
            )
        if kind == "gzip":
            with gzip.GzipFile(fileobj=raw) as unzipped:
                yield ByteStream(unzipped, raw, name)  # type: ignore[arg-type]
        elif kind == "zstd":
            with io.BufferedReader(_Zstd(raw), 1 << 17) as unzipped:
                yield ByteStream(unzipped, raw, name)
        else:
            yield ByteStream(raw, raw, name)


def text_of(stream: ByteStream) -> ByteStream:
    """A stream of text as UTF-8: one that begins with the mark of UTF-16 is written over; any other is as it was."""
    peek = getattr(stream.data, "peek", None)
    try:
        mark = peek(2)[:2] if peek is not None else b""
    except DAMAGE:
        return stream  # whoever reads it says what is wrong
    if mark not in _UTF16 or magic(mark + b"\0\0"):
        return stream
    recoded = io.BufferedReader(_Recoded(stream.data, _UTF16[mark]), 1 << 16)
    return ByteStream(recoded, stream.raw, stream.name)


class _Recoded(io.RawIOBase):
    """A stream of UTF-16 as UTF-8; what is no UTF-16 becomes bytes that are no UTF-8, which is said by the row."""

    def __init__(self, source: BinaryIO, encoding: str) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        self._pending = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        while not self._pending:
            chunk = self._source.read(1 << 16)
            text = self._decoder.decode(chunk, final=not chunk)
            self._pending = text.encode("utf-8", "surrogatepass").replace(b"\xef\xbf\xbd", b"\xff")
            if not chunk and not self._pending:
                return 0
        count = min(len(view), len(self._pending))
        view[:count] = self._pending[:count]
        self._pending = self._pending[count:]
        return count


def magic(head: bytes) -> str | None:
    """What the first bytes of a file give away, if anything."""
    return next((kind for mark, kind in _MAGIC.items() if head.startswith(mark)), None)


class _Zstd(io.RawIOBase):
    """A zstd stream that ends with an error when its file ends too early; the library's own reader ends silently."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._started = False
        self._pending = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        while not self._pending:
            if self._frame.eof:
                left = self._frame.unused_data or self._source.read(1 << 16)
                if not left:
                    return 0
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            else:
                left = self._source.read(1 << 16)
                if not left:
                    if self._started:
                        raise EOFError("the zstd data ends in the middle of a frame")
                    return 0
            self._started = True
            self._pending = self._frame.decompress(left)
        count = min(len(view), len(self._pending))
        view[:count] = self._pending[:count]
        self._pending = self._pending[count:]
        return count


def damaged(name: str, row: int, error: BaseException) -> InputError:
    """The error for a file whose bytes end or break in the middle."""
    return InputError(
        f"The file is cut off or damaged after row {row}: {str(error).rstrip('.')}.",
        where=f"{name}:{row + 1}",
        fix="fetch it again; --skip-bad-rows keeps the rows before the damage",
    )


def lines(stream: ByteStream, on_bad: OnBad) -> Iterator[tuple[int, bytes]]:
    """Number (from 1) and bytes of each line, its line end included; stops at damage.

    Args:
        stream: an open file.
        on_bad: called for damage and for lines too long to hold.
    """
    number = 0
    readline = stream.data.readline
    while True:
        try:
            line = readline(LONGEST_LINE)
            if not line:
                return
            number += 1
            if len(line) >= LONGEST_LINE and not line.endswith(b"\n"):
                while (rest := readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                    pass
                line = b""
        except DAMAGE as error:
            on_bad(damaged(stream.name, number, error))
            return
        if line:
            yield number, line
        else:
            on_bad(InputError(f"The line is longer than {LONGEST_LINE >> 20} MiB.", where=f"{stream.name}:{number}"))


def decoded(line: bytes, where: str) -> str:
    """The text of a line.

    Raises:
        InputError: it is not UTF-8.
    """
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        utf16 = line.startswith((b"\xff\xfe", b"\xfe\xff"))
        raise InputError(
            f"The text is not UTF-8: byte {error.start + 1} of the row is 0x{line[error.start]:02x}"
            + ("; it looks like UTF-16." if utf16 else "."),
            where=where,
            fix="save the file as UTF-8, or skip such rows with --skip-bad-rows",
        ) from None
