"""An entry under `datasets:` of an Axolotl config: where its rows are, and which column is what by its type and fields.

Formats of prompts (`prompt_format`, `chosen_format`) are not taken over: what text a conversation becomes is said by
the model's chat template. Source: the types of its `prompt_strategies`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError

_PAIR = {"chosen": "chosen", "rejected": "rejected"}
_PAIRS: Mapping[str, Mapping[str, str]] = {
    "argilla": {"prompt": "instruction", "chosen": "chosen_response", "rejected": "rejected_response"},
    "argilla_chat": _PAIR,
    "icr": {"prompt": "input", **_PAIR},
    "intel": {"prompt": "question", **_PAIR},
    "prompt_pairs": {"prompt": "prompt", **_PAIR},
    "ultra": {"prompt": "prompt", **_PAIR},
    "nectar": {"prompt": "prompt", "answers": "answers[*].answer", "ranks": "answers[*].rank"},
}
"""Columns by the second part of a type, such as `chatml.intel` or `llama3.ultra`, whose first part is a template."""
_PROMPTS: Mapping[str, str] = {
    "argilla": "instruction",
    "intel": "question",
    "prompt_pairs": "prompt",
    "ultra": "prompt",
}
_TEXT_TYPES: Mapping[str, Mapping[str, str]] = {
    "alpaca": {"prompt": "{instruction}\n{input}", "completion": "output"},
    "alpaca_chat": {"prompt": "{instruction}\n{input}", "completion": "output"},
    "sharegpt": {"conversation": "conversations"},
}
_SPEAKERS = {"user": "user_role", "assistant": "assistant_role", "system": "system_role", "tool": "tool_role"}


def source_of(entry: Mapping[str, Any], file: Path) -> SourceSpec:
    """The source of an entry.

    Args:
        entry: with a path.
        file: the config; paths that do not exist are looked for beside it.
    Raises:
        InputError: it names several files.
    """
    path = str(entry["path"])
    named = entry.get("data_files")
    if isinstance(named, list) and len(named) > 1:
        raise InputError(
            f"The data set '{path}' of '{file}' has several data_files.",
            fix="name one, or their folder or a pattern as the source, with --columns",
        )
    if isinstance(named, list) and named:
        named = named[0]
    if isinstance(named, str):
        path = named
    beside = file.parent / path
    if not Path(path).exists() and beside.exists():
        path = str(beside)
    split = entry.get("split")
    if Path(path).is_file() and split == "train":  # one file has no splits; `datasets` calls what is in it train
        split = None
    return SourceSpec(path, config=entry.get("name"), split=split, revision=entry.get("revision"))


def columns_of_entry(entry: Mapping[str, Any], *, labelled: bool, where: str) -> dict[str, object] | None:
    """The roles of an entry's columns; None where its type leaves the form to be recognised.

    Args:
        entry: with its type and fields.
        labelled: whether the config trains on completions that are called good or bad (`rl: kto`).
        where: the entry, for messages.
    Raises:
        InputError: its type is made of something that is not read.
    """
    kind = entry.get("type")
    word = kind if isinstance(kind, str) else ""
    fields = {**entry, **(kind if isinstance(kind, Mapping) else {})}
    first, _, last = word.partition(".")
    made: dict[str, object] | None
    if first == "chat_template":
        made = _of_messages(fields, last, labelled)
    elif labelled and (isinstance(kind, Mapping) or last in _PROMPTS):
        made = {"prompt": fields.get("field_prompt") or _PROMPTS.get(last, "prompt")}
        made["completion"] = fields.get("field_completion") or "completion"
        made["label"] = fields.get("field_label") or "label"
    elif last in _PAIRS and not labelled:
        made = dict(_PAIRS[last])
    elif "field_chosen" in fields or "field_rejected" in fields or "field_prompt" in fields:
        made = {role: fields.get(f"field_{role}") or role for role in ("prompt", "chosen", "rejected")}
    elif "field_instruction" in fields or "field_output" in fields:
        fed = [fields.get("field_instruction") or "instruction", fields.get("field_input") or "input"]
        made = {"prompt": "\n".join(f"{{{name}}}" for name in fed)}
        made["completion"] = fields.get("field_output") or "output"
    elif first in ("completion", "input_output"):
        raise InputError(
            f"The type '{word}' has text without a prompt, or in segments; rows of turns are read.", where=where
        )
    else:
        made = dict(_TEXT_TYPES[first]) if first in _TEXT_TYPES else None
        if made is not None and fields.get("field_messages"):
            made = {"conversation": fields["field_messages"]}
    if made is not None and fields.get("field_system"):
        made["system"] = fields["field_system"]
    if made is not None and fields.get("field_tools"):
        made["tools"] = fields["field_tools"]
    return None if made is None else {**made, **_spelling(fields)}


def _of_messages(fields: Mapping[str, Any], last: str, labelled: bool) -> dict[str, object]:
    messages = fields.get("field_messages") or "messages"
    two = {role: fields.get(f"field_{role}") or role for role in ("chosen", "rejected")}
    if last.startswith("argilla"):  # both are whole conversations
        return dict(two)
    if labelled:
        return {"conversation": messages, "label": fields.get("field_label") or "label"}
    if last == "default" or fields.get("field_chosen") or fields.get("field_rejected"):
        return {"prompt": messages, **two}
    return {"conversation": messages}


def _spelling(fields: Mapping[str, Any]) -> dict[str, object]:
    """What messages call their keys and speakers."""
    mapped = fields.get("message_property_mappings")
    mapped = mapped if isinstance(mapped, Mapping) else {}
    made: dict[str, object] = {}
    for key, older in (("role", "message_field_role"), ("content", "message_field_content")):
        name = mapped.get(key) or fields.get(older)
        if name:
            made[f"{key}_key"] = str(name)
    roles = fields.get("roles")
    for who, names in (roles if isinstance(roles, Mapping) else {}).items():
        if who in _SPEAKERS and names:
            made[_SPEAKERS[who]] = "|".join(map(str, names)) if isinstance(names, list) else str(names)
    return made
