"""Whether the Hub answers, found out in seconds, and what of it lies in the caches of this machine.

The Hub's client waits half a minute for a Hub that is not there (it asks, and then asks five times more), and
`transformers` does so once a file. One question beforehand tells, and the clients are then let loose on their caches
alone. Knows nothing of models, data or runs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

PATIENCE = 4.0
"""Seconds that the Hub has for its first answer, unless `HF_HUB_ETAG_TIMEOUT` says otherwise."""

_answered: set[str] = set()  # addresses that answered once: a process asks each but one time


def patience() -> float:
    """Seconds to wait for the Hub: what `HF_HUB_ETAG_TIMEOUT` says, or `PATIENCE`."""
    from huggingface_hub import constants

    seconds = constants.HF_HUB_ETAG_TIMEOUT
    return PATIENCE if seconds == constants.DEFAULT_ETAG_TIMEOUT else float(seconds)


def hub_address() -> str:
    """Where the Hub is: `HF_ENDPOINT`, or huggingface.co."""
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def hub_answers() -> bool:
    """Whether the Hub says anything at all within a few seconds; not even asked where `HF_HUB_OFFLINE` is set."""
    from huggingface_hub import get_session, is_offline_mode
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    if is_offline_mode():
        return False
    address = hub_address()
    if address in _answered:
        return True
    try:
        answer = get_session().head(address, timeout=patience(), follow_redirects=False)
    except (HTTPError, OSError):
        return False
    if answer.status_code >= 500:  # a gateway that stands in for a Hub that is down
        return False
    _answered.add(address)
    return True


def why_unreachable() -> str:
    """One clause on why the Hub is not asked or does not answer."""
    from huggingface_hub import is_offline_mode

    return "HF_HUB_OFFLINE is set" if is_offline_mode() else f"no answer from {hub_address()}"


NO_XET = "set HF_HUB_DISABLE_XET=1 to go by plain HTTP, as a mirror or a Hub of your own needs it"
"""What to do where a Hub has no Xet storage, or its storage cannot be reached."""


# As a word of its own, or in the address of its tokens; not as a part of somebody's name.
_XET = re.compile(r"(?<![\w/.-])(?:hf[_-])?xet(?![\w/.-])|xet-(?:read|write)-token", re.IGNORECASE)


def is_of_xet(error: BaseException | None) -> bool:
    """Whether an error, or what it came from, is one of Xet, the storage that the Hub's client goes by where it can."""
    while error is not None:
        kind = type(error)
        if kind.__module__.startswith("hf_xet") or kind.__name__ == "XetDownloadError" or _XET.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def caches_alone() -> Iterator[None]:
    """Within the block `datasets` and the Hub's client read their caches only, as under `HF_HUB_OFFLINE=1`.

    `datasets` has this switch for a whole process only, so it is thrown for the block and put back.
    """
    import datasets
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = before


def cached_ids(kind: Literal["model", "dataset"]) -> list[str]:
    """Ids of the repositories that were fetched to this machine, sorted; for data sets also those `datasets` keeps."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        found = {repo.repo_id for repo in scan_cache_dir().repos if repo.repo_type == kind and repo.nb_files}
    except (CacheNotFound, OSError):  # no cache yet, or one that cannot be read: nothing to propose
        found = set()
    if kind == "dataset":
        import datasets

        kept = Path(datasets.config.HF_DATASETS_CACHE)
        folders = [entry.name for entry in kept.iterdir() if entry.is_dir()] if kept.is_dir() else []
        found |= {name.replace("___", "/") for name in folders if "___" in name}
    return sorted(found)


def nearest_cached(name: str, kind: Literal["model", "dataset"]) -> str:
    """A proposal: ids in the cache that are spelled nearly like a name; empty where none is."""
    near = difflib.get_close_matches(name, cached_ids(kind), n=3, cutoff=0.6)
    names = " or ".join(f"'{each}'" for each in near)
    return f"did you mean {names}, which is in the cache of this machine?" if near else ""


def said_of_cache(name: str, kind: Literal["model", "dataset"]) -> str:
    """What can be used without a network: the nearest names in the cache, else the first few of all."""
    if proposal := nearest_cached(name, kind):
        return proposal
    ids = cached_ids(kind)
    if not ids:
        return f"the cache of this machine has no {kind}s"
    return f"the cache of this machine has: {', '.join(ids[:8])}{', …' if len(ids) > 8 else ''}"
