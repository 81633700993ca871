"""What of a model on this disk can be seen before anything large is loaded: its files, whether they are whole.

Reads names, configurations and the heads of safetensors files; imports neither torch nor transformers.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tiebreak.errors import InputError

CONFIG = "config.json"
ADAPTER_CONFIG = "adapter_config.json"
_INDEX = "model.safetensors.index.json"
_TOKENIZER = ("tokenizer*", "vocab*", "merges.txt", "*.model", "spiece*", "*.tiktoken", "sentencepiece*")
NO_TOKENIZER = "save one beside it with tokenizer.save_pretrained, that of the model it was trained from"
_LONGEST_HEAD = 100_000_000  # bytes, as the format allows


def check_model_folder(folder: Path, name: str) -> None:
    """Make sure that a folder holds a whole model with its tokenizer, as far as its files show.

    Args:
        folder: that exists.
        name: what the user wrote.
    Raises:
        InputError: it is no model, a file of weights is damaged or missing, or there is no tokenizer.
    """
    where = str(folder)
    if not any((folder / config).is_file() for config in (CONFIG, ADAPTER_CONFIG)):
        raise InputError(
            f"The folder '{name}' holds no model: it has no {CONFIG}.", where=where, fix=near_models(folder, name)
        )
    for config in (CONFIG, ADAPTER_CONFIG):
        if (folder / config).is_file():
            read_config(folder / config)
    check_weights(folder)
    check_tokenizer(folder, name)


def check_tokenizer(folder: Path, name: str) -> None:
    """Make sure that a model folder has a tokenizer; that of an adapter may be its model's.

    Raises:
        InputError: it has none.
    """
    if (folder / CONFIG).is_file() and not any(any(folder.glob(pattern)) for pattern in _TOKENIZER):
        raise InputError(
            f"The model '{name}' has no tokenizer.",
            where=str(folder),
            fix=NO_TOKENIZER,
        )


def check_weights(folder: Path) -> None:
    """Make sure that the safetensors files of a folder are there and as long as they say.

    Raises:
        InputError: one is missing, cut off or no safetensors file.
    """
    for file in weight_files(folder):
        if not file.is_file():
            raise InputError(
                f"A file of weights is missing: '{file.name}'.", where=str(file), fix="fetch or copy the model again"
            )
        tensors = read_head(file)
        promised = max((int(facts["data_offsets"][1]) for facts in tensors.values()), default=0)
        with file.open("rb") as stream:
            there = file.stat().st_size - 8 - int.from_bytes(stream.read(8), "little")
        if there < promised:
            raise InputError(
                f"The file of weights is cut off: {there:,} bytes of {promised:,} are there.",
                where=str(file),
                fix="fetch or copy the model again",
            )


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that a model's weights are in: those that its index names, or all there are."""
    index = folder / _INDEX
    if index.is_file() and not (folder / "model.safetensors").is_file():
        named = read_config(index).get("weight_map", {})
        return [folder / name for name in sorted(set(named.values()))]
    return sorted(folder.glob("*.safetensors"))


def read_head(file: Path) -> Mapping[str, Any]:
    """The tensors of a safetensors file by name: `shape`, `dtype` and `data_offsets`.

    Args:
        file: that exists.
    Raises:
        InputError: it is no whole safetensors file.
    """
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > min(_LONGEST_HEAD, file.stat().st_size):
                raise ValueError("its head is longer than the file")
            head = json.loads(stream.read(length))
        if not isinstance(head, dict):
            raise ValueError("its head is no table of tensors")
    except (OSError, ValueError) as error:
        raise InputError(
            f"The file of weights cannot be read: {str(error) or 'it is empty'}.",
            where=str(file),
            fix="fetch or copy the model again",
        ) from None
    return {name: facts for name, facts in head.items() if name != "__metadata__"}


def parameters_in(folder: Path) -> int | None:
    """How many parameters the safetensors files of a folder hold; None where there are none, or they are packed."""
    files = weight_files(folder)
    if not files or not all(file.is_file() for file in files):
        return None
    tensors = [facts for file in files for facts in read_head(file).values()]
    if any(str(facts["dtype"]) in ("U8", "I8") for facts in tensors):
        return None
    return sum(int(math.prod(facts["shape"])) for facts in tensors)


def read_config(file: Path) -> Mapping[str, Any]:
    """A JSON file of a model folder.

    Raises:
        InputError: it is not JSON, or no mapping.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"The file '{file.name}' of the model cannot be read: {error}.", where=str(file)) from None
    if not isinstance(found, dict):
        raise InputError(f"The file '{file.name}' of the model holds no settings.", where=str(file))
    return found


def is_among_runs(path: Path) -> bool:
    """Whether a path that is not there would stand among runs, so that it can be no id of the Hub."""
    return path.parent != path and path.parent.is_dir() and any(path.parent.glob("*/recipe.yaml"))


def near_models(path: Path, name: str) -> str:
    """A proposal for a path that holds no model: folders inside it or beside it that do, the nearest names first.

    Args:
        path: as the name was understood.
        name: what the user wrote.
    """
    inside = list(_models_in(path))
    if inside:
        return f"models in it: {', '.join(str(Path(name) / each) for each in inside[:5])}"
    parent = path.parent
    while not parent.is_dir() and parent != parent.parent:
        parent = parent.parent
    beside = [each for each in _models_in(parent) if parent / each != path]
    near = difflib.get_close_matches(path.name, beside, n=3, cutoff=0.5)
    whole = [_shown(parent / each, name) for each in near or beside[:5]]
    if near:
        return "did you mean " + " or ".join(f"'{each}'" for each in whole) + "?"
    if path.parent != parent:
        return f"there is no folder '{path.parent}' either"
    return f"models beside it: {', '.join(whole)}" if whole else "name a Hub id, a run folder, or a folder with a model"


def _models_in(folder: Path) -> Iterator[str]:
    if folder.is_dir():
        marks = (CONFIG, ADAPTER_CONFIG, "recipe.yaml", "loop.json")
        yield from sorted(each.name for each in folder.iterdir() if any((each / mark).is_file() for mark in marks))


def _shown(path: Path, name: str) -> str:
    """A path as the user would write it: absolute only where the name was."""
    if Path(name).is_absolute() or name.startswith("~"):
        return str(path)
    try:
        return str(path.relative_to(Path.cwd())) if path.is_absolute() else str(path)
    except ValueError:
        return str(path)
