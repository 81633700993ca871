"""Whether a name is one that people can look up on the Hub, rather than something on this machine."""

from __future__ import annotations

import re
from pathlib import Path

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_HUB_ID = re.compile(rf"{_PART}(/{_PART})?")
_FILE_ENDINGS = (".json", ".jsonl", ".csv", ".parquet", ".arrow", ".gz", ".zst", ".db", ".sqlite", ".txt", ".zip")


def hub_id(name: str | None) -> str | None:
    """The name if it can be a Hub id, else None.

    Args:
        name: as a recipe has it: a Hub id, a path, or one of the `bundled:` names.
    """
    if not name or not _HUB_ID.fullmatch(name) or name.endswith((*_FILE_ENDINGS, ".git")):
        return None
    if "--" in name or ".." in name or Path(name).exists():
        return None
    return name
