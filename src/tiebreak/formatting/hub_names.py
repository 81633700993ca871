"""Names as the Hub has them: which can be looked up there, what to call the others in public, and licences.

A path of somebody's machine helps nobody else, and may say more than its owner wants to publish: in public it goes by
its last part.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_HUB_ID = re.compile(rf"{_PART}(/{_PART})?")
_FILE_SUFFIXES = (
    *(".json", ".jsonl", ".csv", ".parquet", ".arrow", ".gz", ".zst", ".db", ".sqlite", ".txt", ".zip"),
    ".gguf",
)
_BUNDLED = "bundled:"
HERE = (Path(),)

BUNDLED_LICENSE = "mit"
"""That of Tiebreak, which makes the bundled model from a seed."""

# huggingface.co/docs/hub/repositories-licenses
_LICENSES = """
apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m
afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5
cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0
cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0
cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl
lgpl-2.1 lgpl-3.0 isc intel-research h-research lppl-1.3c ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl openmdw-1.0
openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license
fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 grok2-community gemma unknown
other
"""
_KNOWN_LICENSES = frozenset(_LICENSES.split())


def hub_id(name: str | None, roots: Sequence[Path] = HERE) -> str | None:
    """The name if it can be a Hub id, else None.

    Args:
        name: as a recipe has it: a Hub id, a path, or one of the `bundled:` names.
        roots: folders in which a file or folder of that name shows that it is a path.
    """
    if not name or not _HUB_ID.fullmatch(name) or name.endswith((*_FILE_SUFFIXES, ".git")):
        return None
    if "--" in name or ".." in name or any((root / name).exists() for root in roots):
        return None
    return name


def public_name(name: str, roots: Sequence[Path] = HERE) -> str:
    """A name as a stranger may read it: a Hub id or a bundled name as it stands, of a path the last part.

    Args:
        name, roots: as for `hub_id`.
    """
    return name if name.startswith(_BUNDLED) or hub_id(name, roots) else last_part(name)


def last_part(name: str) -> str:
    """The last part of a path, a Hub id or a bundled name."""
    return name.rstrip("/\\").replace("\\", "/").split("/")[-1].split(":")[-1] or name


def license_fields(name: str) -> dict[str, str]:
    """A licence for the head of a card, which the Hub refuses if it knows it by no short name.

    Args:
        name: in any case, with or without white space around it.
    Returns:
        The short name of one that the Hub knows; any other as `other`, with its name.
    """
    short = name.strip().lower()
    if short in _KNOWN_LICENSES and short != "other":
        return {"license": short}
    return {"license": "other", "license_name": " ".join(name.split())}
