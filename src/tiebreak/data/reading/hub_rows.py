"""Rows of a Hub dataset, through `datasets`: downloaded once, memory-mapped, read batch by batch.

Knows the client and how it fails; knows nothing of columns or preferences.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from tiebreak.data.reading.rows import OnBad, OnProgress, Row, Source
from tiebreak.errors import InputError
from tiebreak.hub_status import (
    NO_XET,
    caches_alone,
    hub_address,
    hub_answers,
    nearest_cached,
    said_of_cache,
    why_unreachable,
)

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_BATCH = 500
# Without a split of that very name, these are what "train" means for preferences (UltraFeedback has them).
_TRAIN = ("train", "train_prefs")


def open_hub(source: str, config: str | None, data_dir: str | None, split: str | None, revision: str | None) -> Source:
    """Download a split of a Hub dataset, or find it in the cache.

    Args:
        source: the dataset's id.
        config, data_dir, split, revision: as for `datasets.load_dataset`; no split is train, or the only one.
    Raises:
        InputError: there is no such dataset, configuration, split or revision, or the Hub cannot be reached.
    """
    if not _HUB_ID.fullmatch(source):
        raise InputError(
            f"'{source}' is neither a file or folder here nor a Hub dataset id.",
            fix="give a path, or an id like owner/name",
        )
    import datasets

    options: dict[str, Any] = {"data_dir": data_dir, "revision": revision}
    # Asked once: the client of a Hub that is not there would retry for half a minute before it looks into its cache.
    with _explained(source, config, revision), nullcontext() if hub_answers() else caches_alone():
        builder = datasets.load_dataset_builder(source, config, **options)
        splits = tuple(str(name) for name in (builder.info.splits or builder.config.data_files or ()))
        chosen = _split(source, split, splits)
        data = datasets.load_dataset(source, config, split=chosen, **options)
    parts = (source, builder.config.name, data_dir or "", chosen, str(builder.hash), str(data._fingerprint))

    def rows(_on_bad: OnBad, on_progress: OnProgress) -> Iterator[Row]:
        return _rows(data, f"{source} ({chosen})", on_progress)

    fingerprint = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    # Of a repository of files the client's hash is the commit, also where it is read from the cache.
    commit = str(builder.hash) if _COMMIT.fullmatch(str(builder.hash)) else None
    return Source(f"{source} ({chosen})", fingerprint, rows, splits, commit=commit)


def _split(source: str, wanted: str | None, splits: tuple[str, ...]) -> str:
    if wanted is None:
        standard = next((name for name in _TRAIN if name in splits), None)
        if standard or len(splits) == 1:
            return standard or splits[0]
        if not splits:
            return "train"
        raise InputError(
            f"The dataset '{source}' has several splits and none is called train.",
            where="split",
            fix=f"name one with --split: {', '.join(splits)}",
        )
    if splits and wanted not in splits:
        near = difflib.get_close_matches(wanted, splits, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise InputError(
            f"The dataset '{source}' has no split '{wanted}'.", where="split", fix=f"{hint}it has: {', '.join(splits)}"
        )
    return wanted


def _rows(data: Any, name: str, on_progress: OnProgress) -> Iterator[Row]:
    number = 0
    for table in data.with_format("arrow").iter(_BATCH):
        on_progress(number / max(1, len(data)))
        for values in table.to_pylist():
            number += 1
            yield Row(f"{name}:{number}", values, number)
    on_progress(1.0)


@contextmanager
def _explained(source: str, config: str | None, revision: str | None) -> Iterator[None]:
    """What the client raises, as a sentence for the user."""
    from datasets import exceptions as problems
    from huggingface_hub import errors as hub
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    what, fix = None, None
    try:
        yield
    except hub.XetDownloadError as error:
        what, fix = f"The Hub did not give the dataset '{source}' by Xet: {_first_line(error)}", NO_XET
    except (hub.RepositoryNotFoundError, problems.DatasetNotFoundError) as error:
        what = f"There is no dataset '{source}' that you can read: no such file or folder here, and none on the Hub"
        fix = f"{nearest_cached(source, 'dataset') or 'check the spelling'}; for a private one `hf auth login`"
        # The client folds three answers of the Hub into one type and tells them apart in its message alone.
        if "gated" in str(error):
            what = f"The dataset '{source}' is gated: the Hub gives it only to accounts that were granted access"
            fix = f"ask for access on {hub_address()}/datasets/{source}, then `hf auth login`"
        elif revision is not None and "evision" in str(error):
            what, fix = f"The dataset '{source}' has no revision '{revision}'", "name a branch, a tag or a commit of it"
    except (problems.DataFilesNotFoundError, problems.DatasetGenerationError, problems.DatasetsError) as error:
        cause = error.__cause__ or error
        what = f"The dataset '{source}' cannot be read: {_first_line(cause)}"
    except hub.HfHubHTTPError as error:
        what = f"The Hub did not give the dataset '{source}': {_first_line(error)}"
    except (hub.LocalEntryNotFoundError, ConnectionError, HTTPError):
        what, fix = _unreachable(source)
    except (FileNotFoundError, ValueError) as error:
        # The client has no types of its own for a configuration or a folder that is not there, and wraps those it has.
        what = f"The dataset '{source}' cannot be opened" + (f" with the configuration '{config}'" if config else "")
        what += f": {_first_line(error)}"
        fix = "check config, data_dir and revision"
        if hub.LocalEntryNotFoundError.__name__ in str(error):
            what, fix = _unreachable(source)
    if what is not None:
        raise InputError(f"{what.rstrip('.')}.", where=source, fix=fix) from None


def _unreachable(source: str) -> tuple[str, str]:
    return (
        f"The Hub cannot be reached ({why_unreachable()}), and the dataset '{source}' is neither here nor in the cache "
        "of this machine",
        f"check the connection, or give a file or a folder; {said_of_cache(source, 'dataset')}",
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
