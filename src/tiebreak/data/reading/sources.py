"""Where rows come from: a Hub dataset, a file, a folder of shards, a store of votes, or the bundled preferences.

Knows how to find and open a source and to say whether it changed; knows nothing of columns or preferences.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tiebreak.data.reading.cards import config_files
from tiebreak.data.reading.fetched import STDIN, from_address, from_pipe, is_address, shown_address
from tiebreak.data.reading.files import (
    data_files,
    displayed,
    kind_of,
    looks_like_a_path,
    no_such_file,
    passed_over,
    row_files,
    split_of,
)
from tiebreak.data.reading.json_rows import read_json, read_json_lines
from tiebreak.data.reading.rows import OnBad, OnProgress, PairSource, Row, Source
from tiebreak.data.reading.sheet_rows import read_sheet
from tiebreak.data.reading.streams import ByteStream, open_bytes, text_of
from tiebreak.data.reading.table_rows import read_arrow, read_csv, read_parquet
from tiebreak.errors import InputError

BUNDLED = "bundled:preferences"
VOTES = "votes:"

_PROGRESS_EVERY = 256
_PATTERN = "*?["
# A new format of files is its reader and one line here, besides its name in `files.FORMATS`.
_READERS: Mapping[str, Callable[[ByteStream, OnBad], Iterator[Row]]] = {
    "jsonl": read_json_lines,
    "json": read_json,
    "csv": read_csv,
    "tsv": read_csv,
    "parquet": read_parquet,
    "arrow": read_arrow,
    "xlsx": read_sheet,
}
_OF_TEXT = ("jsonl", "json", "csv", "tsv")


@dataclass(frozen=True)
class SourceSpec:
    """What the user wrote to name a source.

    Attributes:
        source: Hub dataset id, file, folder of shards, pattern of files, `-` for standard input, an address such as
            `https://…`, `s3://…` or `hf://datasets/…`, `votes:` and the address of a store, or `bundled:preferences`.
        config: configuration of a Hub dataset, or of a folder whose card names some.
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


def open_source(spec: SourceSpec) -> Source | PairSource:
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
    if is_address(spec.source):
        _only_local(spec, "is one address", ("config", "data_dir", "revision", "split"))
        return _from_files(shown_address(spec.source), from_address(spec.source), ())
    path = Path(spec.source).expanduser()
    if spec.source == STDIN or (path.exists() and not path.is_file() and not path.is_dir()):
        _only_local(spec, "is a stream of rows", ("config", "data_dir", "revision", "split"))
        name = "standard input" if spec.source == STDIN else spec.source
        return _from_files(name, [from_pipe(spec.source)], ())
    if path.exists():
        return _local(spec, path)
    if any(mark in spec.source for mark in _PATTERN):
        return _of_pattern(spec)
    if looks_like_a_path(spec.source):
        raise no_such_file(spec.source)
    from tiebreak.data.reading.hub_rows import open_hub

    return open_hub(spec.source, spec.config, spec.data_dir, spec.split, spec.revision)


def evaluated_split(source: str, split: str | None) -> str | None:
    """The split that an evaluation reads; of the bundled preferences that is the held-out one, if none is named."""
    return split or ("held_out" if source == BUNDLED else None)


def _bundled(spec: SourceSpec) -> Source:
    if spec.source != BUNDLED:
        raise InputError(f"There is no bundled data '{spec.source}'.", fix=f"the bundled preferences are '{BUNDLED}'")
    from tiebreak.bundled import preferences_path

    paths = {"train": preferences_path("train"), "held_out": preferences_path("held_out")}
    split = spec.split or "train"
    if split not in paths:
        raise InputError(f"{BUNDLED} has no split '{split}'.", fix=f"it has: {', '.join(paths)}")
    return _from_files(f"{BUNDLED} ({split})", [paths[split]], tuple(paths))


def _votes(spec: SourceSpec) -> PairSource:
    for name in ("config", "data_dir", "split", "revision"):
        if getattr(spec, name):
            raise InputError(f"Votes have no {name} '{getattr(spec, name)}'.", fix=f"leave {name} out")
    from tiebreak.data.reading.vote_pairs import open_vote_pairs

    return open_vote_pairs(spec.source.removeprefix(VOTES))


def _only_local(spec: SourceSpec, what: str, names: tuple[str, ...]) -> None:
    """Refuse settings that mean nothing for such a source."""
    for name in names:
        if getattr(spec, name):
            raise InputError(
                f"'{spec.source}' {what}, so it has no {name} '{getattr(spec, name)}'.", fix=f"leave {name} out"
            )


def _of_pattern(spec: SourceSpec) -> Source:
    """The files that a pattern such as `shards/train-*.parquet` names, in order."""
    _only_local(spec, "is a pattern", ("config", "data_dir", "revision", "split"))
    parts = Path(spec.source).expanduser().parts
    first = next(index for index, part in enumerate(parts) if any(mark in part for mark in _PATTERN))
    named = Path(*parts[:first]).glob(str(Path(*parts[first:])))
    found = sorted(path for path in named if path.is_file() and kind_of(path) is not None)
    if not found:
        raise InputError(
            f"No file is named '{spec.source}'.",
            fix="put the pattern in quotes so that the shell leaves it, and check the folder",
        )
    return _from_files(spec.source, found, ())


def _local(spec: SourceSpec, path: Path) -> Source:
    _only_local(spec, "is on this disk", ("revision",))
    if path.is_file():
        _only_local(spec, "is one file on this disk", ("config",))
    elif not spec.data_dir and (named := config_files(path, spec.config, spec.split)) is not None:
        return _from_files(displayed(path), *named)
    files = data_files(path, data_dir=spec.data_dir, split=spec.split)
    folder = path / (spec.data_dir or "")
    splits = {split_of(str(each.relative_to(folder))) for each in row_files(folder)} if path.is_dir() else set()
    over = passed_over(folder, files) if path.is_dir() and spec.split is None else []
    return _from_files(displayed(path), files, tuple(sorted(split for split in splits if split)), tuple(over))


def _from_files(name: str, files: list[Path], splits: tuple[str, ...], over: tuple[str, ...] = ()) -> Source:
    digest = hashlib.sha256()
    for file in files:
        facts = file.stat()
        digest.update(f"{file.resolve()}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())

    def rows(on_bad: OnBad, on_progress: OnProgress) -> Iterator[Row]:
        return _read_files(files, on_bad, on_progress)

    return Source(name, digest.hexdigest(), rows, splits, over)


def _read_files(files: list[Path], on_bad: OnBad, on_progress: OnProgress) -> Iterator[Row]:
    sizes = [file.stat().st_size for file in files]
    total, done = max(1, sum(sizes)), 0
    for file, size in zip(files, sizes, strict=True):
        kind = kind_of(file)
        if kind is None:
            raise InputError(f"The file '{displayed(file)}' is of no known format.", fix="name a file of rows")
        with open_bytes(file, displayed(file)) as opened:
            stream = text_of(opened) if kind in _OF_TEXT else opened
            for count, row in enumerate(_READERS[kind](stream, on_bad)):
                if count % _PROGRESS_EVERY == 0:
                    on_progress((done + stream.raw.tell()) / total)
                yield row
        done += size
    on_progress(1.0)
