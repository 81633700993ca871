"""An entry of LLaMA-Factory's `dataset_info.json`: where rows are, which column is what, how messages are spelled.

Source: the keys and their defaults of its `data/README.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError

_TAGS: Mapping[str, tuple[str, str]] = {
    "role_tag": ("role_key", "from"),
    "content_tag": ("content_key", "value"),
    "user_tag": ("user_role", "human"),
    "assistant_tag": ("assistant_role", "gpt"),
    "observation_tag": ("tool_role", "observation"),
    "function_tag": ("call_role", "function_call"),
    "system_tag": ("system_role", "system"),
}
"""Tags of an entry, with the setting of columns that says the same, and what is meant where an entry has none."""
_MEDIA = ("images", "videos", "audios")
_BESIDE = ("system", "history", "tools")


def source_of(entry: Mapping[str, Any], name: str, file: Path) -> SourceSpec:
    """The source of an entry.

    Args:
        entry: what stands under the name.
        name, file: of the entry and the list that it is in, which paths are relative to.
    Raises:
        InputError: it names none.
    """
    beside = file.parent / str(entry["file_name"]) if entry.get("file_name") else None
    if beside is not None and (beside.exists() or not entry.get("hf_hub_url")):
        return SourceSpec(str(beside), data_dir=entry.get("folder"))
    if entry.get("hf_hub_url"):
        return SourceSpec(str(entry["hf_hub_url"]), entry.get("subset"), entry.get("folder"), entry.get("split"))
    if entry.get("cloud_file_name"):
        return SourceSpec(str(entry["cloud_file_name"]))
    raise InputError(
        f"The entry '{name}' of '{file}' names no file_name, no hf_hub_url and no cloud_file_name.",
        fix="give it one; scripts of data sets are not run",
    )


def columns_of_entry(entry: Mapping[str, Any]) -> dict[str, object]:
    """The roles of an entry's columns."""
    given = entry.get("columns")
    messages = entry.get("formatting", "alpaca") != "alpaca"
    if isinstance(given, Mapping):
        named = {str(key): str(value) for key, value in given.items() if value}
    elif messages:
        named = {"messages": "conversations"}
    else:
        named = {"prompt": "instruction", "query": "input", "response": "output"}
    made = _of_messages(entry, named) if messages else _of_text(entry, named)
    made |= {role: named[role] for role in _BESIDE if role in named}
    media = [named[each] for each in _MEDIA if each in named]
    return {**made, "images": "|".join(media)} if media else made


def _of_messages(entry: Mapping[str, Any], named: Mapping[str, str]) -> dict[str, object]:
    column = named.get("messages", "conversations")
    made: dict[str, object] = (
        {"prompt": column, **_two(named)} if entry.get("ranking") else {"conversation": column, **_label(named)}
    )
    tags = entry.get("tags")
    tags = tags if isinstance(tags, Mapping) else {}
    return {**made, **{setting: str(tags.get(tag) or usual) for tag, (setting, usual) in _TAGS.items()}}


def _of_text(entry: Mapping[str, Any], named: Mapping[str, str]) -> dict[str, object]:
    fields = [f"{{{named[key]}}}" for key in ("prompt", "query") if key in named]
    prompt = "\n".join(fields) or "{instruction}\n{input}"
    if entry.get("ranking"):
        return {"prompt": prompt, **_two(named)}
    return {"prompt": prompt, "completion": named.get("response", "output"), **_label(named)}


def _two(named: Mapping[str, str]) -> dict[str, object]:
    return {role: named.get(role, role) for role in ("chosen", "rejected")}


def _label(named: Mapping[str, str]) -> dict[str, object]:
    return {"label": named["kto_tag"]} if "kto_tag" in named else {}
