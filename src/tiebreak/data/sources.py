"""Where rows come from: a Hub dataset, a file, a folder of shards, a store of votes, or the bundled preferences.

Knows how to find and open a source and to tell whether it changed; knows nothing of columns or preferences.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tiebreak.data.bytestreams import open_bytes
from tiebreak.data.files import data_files, displayed, format_of, looks_like_a_path, no_such_file, split_of
from tiebreak.data.problems import OnBad
from tiebreak.data.readers import READERS
from tiebreak.data.rows import Row
from tiebreak.errors import InputError

BUNDLED = "bundled:preferences"
VOTES = "votes:"
OnProgress = Callable[[float], None]
"""Told the share of the source that was read, from 0 to 1."""

_PROGRESS_EVERY = 256


@dataclass(frozen=True)
class SourceSpec:
    """What the user wrote to name a source.

    Attributes:
        source: Hub dataset id, file, folder of shards, `votes:` and the address of a store, or `bundled:preferences`.
        config: configuration of a Hub dataset.
        data_dir: folder inside a Hub dataset or a local folder.
        split: None is train, or the only one there is.
        revision: branch, tag or commit of a Hub dataset.
    """

    source: str
    config: str | None = None
    data_dir: str | None = None
    split: str | None = None
    revision: str | None = None

    def of_split(self, split: str) -> SourceSpec:
        """The same source, another split."""
        return replace(self, split=split)


@dataclass(frozen=True)
class Source:
    """A source that was found and can be read, as often as needed.

    Attributes:
        name: what messages call it.
        files: the local files, none for a Hub dataset or votes.
        fingerprint: differs when the rows may differ.
        rows: yields every row in order; told what to do with bad ones, and whom to tell of progress.
        splits: the splits the source is known to have, its own included.
    """

    name: str
    files: tuple[Path, ...]
    fingerprint: str
    rows: Callable[[OnBad, OnProgress], Iterator[Row]]
    splits: tuple[str, ...] = ()


def open_source(spec: SourceSpec) -> Source:
    """Find a source.

    Args:
        spec: what the user wrote.
    Returns:
        The source; for a Hub dataset, downloaded into the cache of `datasets`.
    Raises:
        InputError: there is no such file, folder, split, dataset or store, or the Hub or the store cannot be reached.
    """
    if spec.source.startswith("bundled:"):
        return _bundled(spec)
    if spec.source.startswith(VOTES):
        return _votes(spec)
    path = Path(spec.source).expanduser()
    if path.exists():
        return _local(spec, path)
    if looks_like_a_path(spec.source):
        raise no_such_file(spec.source)
    from tiebreak.data.hub_rows import open_hub

    hub = open_hub(spec.source, spec.config, spec.data_dir, spec.split, spec.revision)
    return Source(hub.name, (), hub.fingerprint, hub.rows, hub.splits)


def _bundled(spec: SourceSpec) -> Source:
    if spec.source != BUNDLED:
        raise InputError(f"There is no bundled data '{spec.source}'.", fix=f"the bundled preferences are '{BUNDLED}'")
    from tiebreak.bundled import preferences_path

    paths = {"train": preferences_path("train"), "held_out": preferences_path("held_out")}
    split = spec.split or "train"
    if split not in paths:
        raise InputError(f"{BUNDLED} has no split '{split}'.", fix=f"it has: {', '.join(paths)}")
    return _from_files(f"{BUNDLED} ({split})", [paths[split]], tuple(paths))


def _votes(spec: SourceSpec) -> Source:
    for name in ("config", "data_dir", "split", "revision"):
        if getattr(spec, name):
            raise InputError(f"Votes have no {name} '{getattr(spec, name)}'.", fix=f"leave {name} out")
    from tiebreak.data.votes_rows import open_votes_rows

    found = open_votes_rows(spec.source.removeprefix(VOTES))
    return Source(found.name, (), found.fingerprint, found.rows)


def _local(spec: SourceSpec, path: Path) -> Source:
    for name, value in (("config", spec.config), ("revision", spec.revision)):
        if value:
            raise InputError(
                f"'{spec.source}' is on this disk, so it has no {name} '{value}'.", fix=f"leave {name} out"
            )
    files = data_files(path, data_dir=spec.data_dir, split=spec.split)
    folder = path / (spec.data_dir or "")
    splits = (
        {split_of(str(each.relative_to(folder))) for each in folder.rglob("*") if format_of(each)}
        if path.is_dir()
        else set()
    )
    return _from_files(displayed(path), files, tuple(sorted(split for split in splits if split)))


def _from_files(name: str, files: list[Path], splits: tuple[str, ...]) -> Source:
    digest = hashlib.sha256()
    for file in files:
        facts = file.stat()
        digest.update(f"{file.resolve()}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())

    def rows(on_bad: OnBad, on_progress: OnProgress) -> Iterator[Row]:
        return _read_files(files, on_bad, on_progress)

    return Source(name, tuple(files), digest.hexdigest(), rows, splits)


def _read_files(files: list[Path], on_bad: OnBad, on_progress: OnProgress) -> Iterator[Row]:
    sizes = [file.stat().st_size for file in files]
    total, done = max(1, sum(sizes)), 0
    for file, size in zip(files, sizes, strict=True):
        kind = format_of(file)
        assert kind is not None  # data_files promised it
        with open_bytes(file, displayed(file)) as stream:
            for count, row in enumerate(READERS[kind](stream, on_bad)):
                if count % _PROGRESS_EVERY == 0:
                    on_progress((done + stream.raw.tell()) / total)
                yield row
        done += size
    on_progress(1.0)
