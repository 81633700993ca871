"""What people bring from other trainers: an entry of LLaMA-Factory's `dataset_info.json`, or of Axolotl's `datasets:`.

    dataset_info.json:NAME          the entry of that name
    config.yml, or config.yml:1     the only entry under `datasets:`, or the one of that number, from 0

Knows how an entry is found; what it says is read in `llama_factory` and `axolotl`, which give a source and columns as a
user would have written them.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tiebreak.data.forms import axolotl, llama_factory
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError

Brought = tuple[SourceSpec, Mapping[str, object] | None]

# What takes some of the rows: LLaMA-Factory draws them at random, Axolotl takes one part of several.
_SOME_ROWS = ("num_samples", "shards", "preprocess_shards")
_ENTRY = re.compile(r"(?P<file>.+\.(?:json|ya?ml))(?::(?P<name>[^/\\:]+))?$", re.IGNORECASE)


def brought(spec: SourceSpec, columns: Mapping[str, object] | None) -> Brought:
    """A source and its columns, from an entry where the source names one; else as they are.

    Args:
        spec: what the user wrote.
        columns: the user's own, which win over the entry's.
    Raises:
        InputError: there is no such entry, or it cannot be understood.
    """
    match = _ENTRY.fullmatch(spec.source)
    if match is None:
        return spec, columns
    file, name = Path(match["file"]).expanduser(), match["name"]
    json_entry = file.suffix.lower() == ".json"
    if (json_entry and name is None) or not file.is_file():
        return spec, columns
    found, own = _of_list(file, str(name)) if json_entry else _of_config(file, name)
    found = replace(
        found,
        **{
            key: value
            for key in ("config", "data_dir", "split", "revision")
            if (value := getattr(spec, key)) is not None
        },
    )
    return found, columns or own


def _of_list(file: Path, name: str) -> Brought:
    entries = _document(file, json.loads)
    if not isinstance(entries, Mapping) or not isinstance(entries.get(name), Mapping):
        known = [str(each) for each in entries] if isinstance(entries, Mapping) else []
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise InputError(f"'{file}' has no entry '{name}'.", fix=f"{hint}it has: {', '.join(known[:20])}")
    entry = entries[name]
    _check_all_rows(entry, f"{file}:{name}")
    return llama_factory.source_of(entry, name, file), llama_factory.columns_of_entry(entry)


def _of_config(file: Path, name: str | None) -> Brought:
    import yaml

    document = _document(file, yaml.safe_load)
    entries = document.get("datasets") if isinstance(document, Mapping) else None
    if not isinstance(entries, list) or not entries:
        raise InputError(
            f"'{file}' has no 'datasets:' with entries.", fix="name a file of rows, or a config of Axolotl"
        )
    paths = [str(each.get("path")) if isinstance(each, Mapping) else str(each) for each in entries]
    if name is None and len(entries) > 1:
        listed = ", ".join(f"{file}:{number} ({path})" for number, path in enumerate(paths))
        raise InputError(f"'{file}' has {len(entries)} data sets.", fix=f"name one: {listed}")
    number = int(name) if name is not None and name.isdigit() else 0 if name is None else -1
    if not 0 <= number < len(entries) or not isinstance(entries[number], Mapping) or not entries[number].get("path"):
        raise InputError(f"'{file}' has no data set '{name}' with a path.", fix=f"they are 0 to {len(entries) - 1}")
    entry = entries[number]
    _check_all_rows(entry, f"{file}:{number}")
    labelled = str(document.get("rl") or "") == "kto"
    return axolotl.source_of(entry, file), axolotl.columns_of_entry(entry, labelled=labelled, where=f"{file}:{number}")


def _check_all_rows(entry: Mapping[str, Any], where: str) -> None:
    for key in _SOME_ROWS:
        if entry.get(key):
            raise InputError(
                f"The entry asks for some of its rows ({key}: {entry[key]}), which is not taken over.",
                where=where,
                fix=f"leave {key} out of the entry, and set data.limit, with data.shuffle for a random draw",
            )


def _document(file: Path, read: Any) -> Any:
    try:
        return read(file.read_text(encoding="utf-8"))
    except Exception as error:  # JSON and YAML have errors of their own, besides those of text
        raise InputError(f"'{file}' cannot be read: {error}.") from error
