"""Which files a path stands for: one file, or the shards of a folder, and which split each belongs to.

Knows names and extensions, and looks into a file only where it has none.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from pathlib import Path

from tiebreak.data.reading.streams import BOM, COMPRESSIONS, DAMAGE, magic, open_bytes
from tiebreak.errors import InputError

FORMATS = ("jsonl", "json", "csv", "tsv", "parquet", "arrow", "xlsx")
_ALIASES = {"ndjson": "jsonl", "tab": "tsv"}
_OF_CONTENT = {"parquet": "parquet", "arrow": "arrow", "zip": "xlsx"}
# Files that published data sets keep beside their rows.
_NOT_ROWS = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json"}
_SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
    "held_out": ("held_out", "heldout", "held-out"),
}
# Splits of one word and another are splits of their own: what is for demonstrations is not for pairs.
_FURTHER = ("prefs", "pref", "preferences", "sft", "gen", "rm", "dpo", "kto", "ppo")
_SPLIT_OF = {word: split for split, words in _SPLITS.items() for word in words}
_SPLIT_OF |= {f"{word}_{part}": f"{split}_{part}" for word, split in tuple(_SPLIT_OF.items()) for part in _FURTHER}
_TRAIN = ("train", "train_prefs", "train_pref", "train_preferences")
_SPLIT_PATTERN = re.compile(rf"(?:^|[-_./ ])({'|'.join(sorted(_SPLIT_OF, key=len, reverse=True))})(?=[-_./ 0-9]|$)")


def format_of(path: Path) -> str | None:
    """The row format that a file name promises, or None."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes = suffixes[:-1]
    name = suffixes[-1][1:] if suffixes else ""
    name = _ALIASES.get(name, name)
    return name if name in FORMATS else None


def kind_of(path: Path) -> str | None:
    """The row format of a file: what its name promises, or without an extension what its first bytes are."""
    named = format_of(path)
    bare = path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path
    if named is not None or bare.suffix:
        return named
    try:
        with open_bytes(path, str(path)) as stream:
            head = stream.data.read(1 << 12)
    except (InputError, *DAMAGE):
        return None
    found = magic(head)
    if found is not None:
        return _OF_CONTENT.get(found)
    text = head.removeprefix(BOM).replace(b"\0", b"").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff").lstrip()
    if text[:1] in (b"{", b"["):
        return "json"
    return "csv" if any(mark in text.partition(b"\n")[0] for mark in (b",", b";", b"\t")) else None


def split_of(relative: str) -> str | None:
    """The split that a file's name or folder names, such as `train-00000-of-00002.parquet` or `test/data.jsonl`."""
    found = _SPLIT_PATTERN.findall(relative.lower())
    return _SPLIT_OF[found[-1]] if found else None


def looks_like_a_path(source: str) -> bool:
    """Whether a source that does not exist was meant as a file: its form is not that of a Hub id."""
    return (
        format_of(Path(source)) is not None
        or source.startswith((".", "~", "/"))
        or source.count("/") > 1
        or "\\" in source
        or Path(source).suffix.lower() in COMPRESSIONS
    )


def data_files(root: Path, *, data_dir: str | None, split: str | None) -> list[Path]:
    """The files of a source, in order.

    Args:
        root: an existing file or folder.
        data_dir: folder inside `root`.
        split: which of the folder's splits; None is train where files are named after it, else the files of no split.
    Raises:
        InputError: nothing there, a wrong extension, or no such split.
    """
    if root.is_file():
        return [_single(root, data_dir, split)]
    folder = root / data_dir if data_dir else root
    if not folder.is_dir():
        inside = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
        raise InputError(f"There is no folder '{data_dir}' in '{root}'.", fix=_nearest(data_dir or "", inside))
    found = row_files(folder)
    if not found:
        raise InputError(
            f"The folder '{folder}' holds no file that can be read.",
            fix=f"readable are {_extensions()}, also with .gz or .zst",
        )
    splits = {path: split_of(str(path.relative_to(folder))) for path in found}
    named = sorted({name for name in splits.values() if name})
    if split is None:
        return _default_split(folder, found, splits, named)
    chosen = [path for path in found if splits[path] == _SPLIT_OF.get(split, split)]
    if not chosen:
        raise InputError(
            f"The folder '{folder}' has no split '{split}'.",
            fix=f"it has: {', '.join(named)}" if named else "its files are not named after splits; leave the split out",
        )
    return chosen


def _default_split(folder: Path, found: list[Path], splits: dict[Path, str | None], named: list[str]) -> list[Path]:
    """Train where it is named; else the files that belong to no split; else the only split there is."""
    wanted: str | None = next((name for name in _TRAIN if name in named), None)
    if wanted is None and None not in splits.values():
        if len(named) > 1:
            raise InputError(
                f"The folder '{folder}' has several splits and none is called train.",
                where="split",
                fix=f"name one with --split: {', '.join(named)}",
            )
        wanted = named[0]
    return [path for path in found if splits[path] == wanted]


def _single(path: Path, data_dir: str | None, split: str | None) -> Path:
    if kind_of(path) is None:
        what = "has an extension that says no known format" if path.suffix else "is of no known format"
        raise InputError(
            f"The file '{path}' {what}.",
            fix=f"readable are {_extensions()}, also with .gz or .zst",
        )
    if data_dir:
        raise InputError(
            f"'{path}' is a file, so it has no folder '{data_dir}'.", fix="leave data_dir out: --set data.data_dir=null"
        )
    if split and split_of(path.name) != _SPLIT_OF.get(split, split):
        raise InputError(f"'{path}' is one file, so it has no split '{split}'.", fix="leave the split out")
    return path


def row_files(folder: Path) -> list[Path]:
    """The files of a folder that hold rows, in order; of one that `datasets` saved those that its state names."""
    found = sorted(path for path in folder.rglob("*") if _holds_rows(path, folder))
    saved = {parent: _saved(parent) for parent in {path.parent for path in found}}
    return [path for path in found if saved[path.parent] is None or path.name in (saved[path.parent] or ())]


def _saved(folder: Path) -> set[str] | None:
    """The files that belong to a data set of `save_to_disk`; beside them lie results of `map` in `cache-*.arrow`."""
    try:
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        return {str(each["filename"]) for each in state["_data_files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _holds_rows(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    return not hidden and path.name not in _NOT_ROWS and format_of(path) is not None and path.is_file()


def passed_over(folder: Path, chosen: list[Path]) -> list[str]:
    """Files of rows of a folder that belong to no split and are not read."""
    return [
        str(path.relative_to(folder))
        for path in row_files(folder)
        if path not in chosen and split_of(str(path.relative_to(folder))) is None
    ]


def _extensions() -> str:
    return ", ".join(f".{name}" for name in FORMATS)


def no_such_file(source: str) -> InputError:
    """The error for a path that leads nowhere, with names that come near."""
    path = Path(source).expanduser()
    parent = path.parent
    while not parent.is_dir() and parent != parent.parent:
        parent = parent.parent
    if parent != path.parent:
        return InputError(f"There is no file '{source}'.", fix=f"there is no folder '{path.parent}' either")
    names = sorted(
        entry.name
        for entry in parent.iterdir()
        if not entry.name.startswith(".") and (entry.is_dir() or format_of(entry) is not None)
    )
    return InputError(f"There is no file '{source}'.", fix=_nearest(path.name, names))


def _nearest(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(f"'{each}'" for each in near) + "?"
    shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    return f"the folder has: {shown}" if names else "the folder has nothing that can be read"


def displayed(path: Path) -> str:
    """A path as messages show it: relative to the working directory where that is shorter."""
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        return str(path)
    return min(str(path), relative, key=len)
