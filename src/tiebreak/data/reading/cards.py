"""The card of a data set folder: which configurations it names, and which files each of them has.

Knows the YAML head of a README.md as the Hub reads it; opens nothing else.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiebreak.errors import InputError

Config = dict[str, list[str]]
"""Patterns of files by split; the split of files that belong to none is empty."""


def configs_of(folder: Path) -> dict[str, Config]:
    """The configurations of a folder's card, by name; empty where it has no card or the card names none."""
    import yaml

    try:
        text = (folder / "README.md").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    if not text.startswith("---"):
        return {}
    try:
        head = yaml.safe_load(text[3:].partition("\n---")[0])
    except yaml.YAMLError:
        return {}
    given = head.get("configs") if isinstance(head, Mapping) else None
    if not isinstance(given, list):
        return {}
    named = {
        str(each["config_name"]): _files(each.get("data_files"))
        for each in given
        if isinstance(each, Mapping) and each.get("config_name") and each.get("data_files")
    }
    default = next(
        (str(each["config_name"]) for each in given if isinstance(each, Mapping) and each.get("default")), None
    )
    return _first(named, default)


def _first(named: dict[str, Config], default: str | None) -> dict[str, Config]:
    """The default configuration first."""
    if default is None or default not in named:
        return named
    return {default: named[default], **{name: each for name, each in named.items() if name != default}}


def _files(given: Any) -> Config:
    made: Config = {}
    for each in given if isinstance(given, list) else [given]:
        split, paths = (str(each.get("split", "")), each.get("path")) if isinstance(each, Mapping) else ("", each)
        made.setdefault(split, []).extend(str(path) for path in (paths if isinstance(paths, list) else [paths]) if path)
    return made


def config_files(folder: Path, name: str | None, split: str | None) -> tuple[list[Path], tuple[str, ...]] | None:
    """The files of a configuration, and the splits that it has; None where the card says nothing of the folder.

    Args:
        folder: of the data set.
        name: the configuration; None is the default one, or the only one.
        split: None is train, or the only one there is.
    Raises:
        InputError: there is no such configuration or split, or none is named and none is the default.
    """
    configs = configs_of(folder)
    if not configs:
        if name is not None:
            raise InputError(f"'{folder}' has no configurations: its README.md names none.", fix="leave config out")
        return None
    if name is None:
        name = "default" if "default" in configs else next(iter(configs))
        if len(configs) > 1 and not _has_default(folder, name):
            raise InputError(
                f"The folder '{folder}' has several configurations.",
                where="config",
                fix=f"name one with --config: {', '.join(configs)}",
            )
    if name not in configs:
        near = difflib.get_close_matches(name, configs, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise InputError(
            f"The folder '{folder}' has no configuration '{name}'.",
            where="config",
            fix=f"{hint}it has: {', '.join(configs)}",
        )
    splits = configs[name]
    wanted = (
        split if split is not None else next((each for each in ("train", "train_prefs", "") if each in splits), None)
    )
    if wanted is None and len(splits) == 1:
        wanted = next(iter(splits))
    if wanted not in splits:
        raise InputError(
            f"The configuration '{name}' of '{folder}' has no split '{wanted or 'train'}'.",
            where="split",
            fix=f"name one with --split: {', '.join(splits)}",
        )
    found = sorted({path for pattern in splits[wanted] for path in folder.glob(pattern) if path.is_file()})
    if not found:
        raise InputError(f"The card of '{folder}' names files that are not there: {', '.join(splits[wanted])}.")
    return found, tuple(each for each in splits if each)


def _has_default(folder: Path, name: str) -> bool:
    return name == "default" or "default: true" in (folder / "README.md").read_text(encoding="utf-8")
