"""Sources that are no path on this disk, as files that are: standard input, pipes, and addresses through fsspec.

Knows how bytes are brought into the cache, once for what has not changed; knows nothing of what they hold. What is
brought is read from the disk like any file, since readers jump about and a source may be read twice.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from tiebreak import files
from tiebreak.errors import InputError, RunError

STDIN = "-"
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_CHUNK = 1 << 20
_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "http": "aiohttp"}


def is_address(source: str) -> bool:
    """Whether a source is an address such as `https://…` or `hf://datasets/…`."""
    return _ADDRESS.match(source) is not None


def shown_address(source: str) -> str:
    """An address without what may be a secret in it: its query."""
    return source.partition("?")[0]


@lru_cache(maxsize=32)
def from_pipe(source: str) -> Path:
    """The bytes of standard input (`-`) or of a pipe, in a file of the cache; read once by this process.

    Raises:
        InputError: nothing is piped in.
        RunError: the cache cannot be written.
    """
    if source == STDIN and sys.stdin.isatty():
        raise InputError("Nothing is piped into standard input.", where="-", fix="cat rows.jsonl | tiebreak … -")
    try:
        if source == STDIN:
            return _kept(sys.stdin.buffer, "")
        with Path(source).open("rb") as pipe:
            return _kept(pipe, "")
    except OSError as error:
        raise RunError(
            f"The rows cannot be read or kept: {error.strerror or error}.",
            where=source,
            fix="make room, or set TIEBREAK_CACHE to a folder on another disk",
        ) from None


def from_address(source: str) -> list[Path]:
    """The files of an address, brought into the cache; a pattern such as `s3://bucket/train-*.parquet` has several.

    Raises:
        InputError: nothing is there, it cannot be reached, or its protocol needs a library that is not installed.
    """
    parts = urlsplit(source)
    if parts.password:
        raise InputError(
            "The address holds a password, and a source is written into the run folder and its reports.",
            fix="leave the password to the settings of the client",
        )
    if parts.scheme.lower() == "file":
        path_here = Path(unquote(parts.path))
        if not path_here.is_file():
            raise InputError(f"There is no file at '{source}'.", fix="check the address")
        return [path_here]
    system, path = _opened(source)
    try:
        names = sorted(system.glob(path)) if "*" in path else [path]
        if not names:
            raise InputError(f"Nothing is at '{shown_address(source)}'.")
        return [_brought(system, str(name)) for name in names]
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(
            f"There is no file at '{shown_address(source)}', or it cannot be reached.",
            fix="check the address and the connection",
        ) from None
    except InputError:
        raise
    except Exception as error:  # clients of storage have errors of their own, and no type in common
        raise InputError(
            f"'{shown_address(source)}' cannot be read: {type(error).__name__}: {_without_query(error)}.",
            fix="check the address and the connection, or fetch the file and name it",
        ) from error


def _opened(source: str) -> tuple[Any, str]:
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(source)
    except (ImportError, ValueError) as error:
        scheme = urlsplit(source).scheme.lower()
        package = _PACKAGES.get(scheme)
        raise InputError(
            f"'{scheme}://' cannot be opened: {_first_line(error)}.",
            where=shown_address(source),
            fix=f"pip install {package}" if package else "fetch the file and name it",
        ) from None
    return system, str(path)


def _brought(system: Any, path: str) -> Path:
    """A file of a storage in the cache; brought again only where its storage says that it changed, or says nothing."""
    facts = system.info(path)
    marks = [
        str(facts[key]) for key in ("ETag", "etag", "sha256", "blob_id", "mtime", "LastModified") if facts.get(key)
    ]
    name = Path(urlsplit(path).path).name
    if marks:
        key = hashlib.sha256(
            "\0".join([str(system.protocol), path, str(facts.get("size")), *marks]).encode()
        ).hexdigest()
        target = _folder() / key[:32] / name
        if target.is_file():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with system.open(path, "rb") as stream:
            _spooled(stream).replace(target)
        return target
    with system.open(path, "rb") as stream:
        return _kept(stream, name)


def _folder() -> Path:
    folder = files.cache_folder() / "fetched"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _spooled(stream: IO[bytes], digest: Any = None) -> Path:
    """All bytes of a stream in a file beside those that are kept."""
    with tempfile.NamedTemporaryFile(dir=_folder(), prefix=".draft-", delete=False) as draft:
        while chunk := stream.read(_CHUNK):
            draft.write(chunk)
            if digest is not None:
                digest.update(chunk)
    return Path(draft.name)


def _kept(stream: IO[bytes], name: str) -> Path:
    """A stream as a file of the cache that is named by what it holds, and so is the same for the same bytes."""
    digest = hashlib.sha256()
    draft = _spooled(stream, digest)
    target = _folder() / digest.hexdigest()[:32] / (name or "rows")
    target.parent.mkdir(exist_ok=True)
    if target.is_file():
        draft.unlink()
    else:
        draft.replace(target)
    return target


def _without_query(error: BaseException) -> str:
    """What an error says, without the queries of the addresses in it."""
    return re.sub(r"\?[^\s'\")]+", "", _first_line(error))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
