"""Values on the disk under the hash of all that they depend on, so that nothing is asked or sampled twice.

Each is there whole or not at all, also after a kill; several processes may read and write at once.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from tiebreak.errors import RunError
from tiebreak.files import cache_folder

_AT_ONCE = 500  # keys of one query


def key_of(*parts: Any) -> bytes:
    """A key from values that JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode()).digest()


class Kept:
    """A table of values by key.

    Args:
        name: of the file, below the folder of the cache.
        what: it holds, for errors.
    """

    def __init__(self, name: str, what: str, folder: Path | None = None) -> None:
        self.path, self._what = (folder or cache_folder()) / f"{name}.sqlite", what
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._connect()) as db:
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("CREATE TABLE IF NOT EXISTS kept (key BLOB PRIMARY KEY, value TEXT) WITHOUT ROWID")
        except (OSError, sqlite3.Error) as error:
            raise self._failed(error) from error

    def get(self, keys: Iterable[bytes]) -> dict[bytes, Any]:
        """The values that are there, by key."""
        wanted = list(dict.fromkeys(keys))
        found: dict[bytes, str] = {}
        try:
            with closing(self._connect()) as db:
                for start in range(0, len(wanted), _AT_ONCE):
                    some = wanted[start : start + _AT_ONCE]
                    marks = ",".join("?" * len(some))
                    found.update(db.execute(f"SELECT key, value FROM kept WHERE key IN ({marks})", some))
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return {key: json.loads(value) for key, value in found.items()}

    def put(self, key: bytes, value: Any) -> None:
        """Keep a value; it is on the disk, or in the journal, when this returns."""
        try:
            with closing(self._connect()) as db:
                db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (key, json.dumps(value)))
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=60, isolation_level=None)

    def _failed(self, error: Exception) -> RunError:
        return RunError(
            f"The cache of {self._what} cannot be used: {error}.",
            where=str(self.path),
            fix="delete that file, free some disk, or point TIEBREAK_CACHE to another folder",
        )
