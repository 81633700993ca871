"""The prompts that a team compares answers to, from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tiebreak.errors import InputError

Turns = tuple[tuple[str, str], ...]
_NAMES = ("prompt", "messages", "question", "instruction", "text")
_ROLES = ("system", "user", "assistant")


def read_prompts(path: Path) -> tuple[Turns, ...]:
    """Read a file of prompts, each once, in their order.

    Args:
        path: a text file with a prompt on each line; or `.jsonl`, each line a text, messages, or an object whose
            `prompt` (`messages`, `question`, `instruction`, `text`) is one of them.
    Returns:
        The turns of each; the last is the user's.
    Raises:
        InputError: the file cannot be read, is empty, or a line is no prompt.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise InputError(f"The file '{path}' cannot be read: {reason}.", where="--prompts") from None
    as_json = path.suffix.lower() in (".jsonl", ".ndjson")
    found: dict[Turns, None] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            where = f"{path}:{number}"
            found[_of_json(line, where) if as_json else (("user", line.strip()),)] = None
    if not found:
        raise InputError(f"The file '{path}' has no prompts.", where="--prompts", fix="write one on each line")
    return tuple(found)


def _of_json(line: str, where: str) -> Turns:
    try:
        value: Any = json.loads(line)
    except ValueError as error:
        raise InputError(f"The line is no JSON: {error}.", where=where) from None
    if isinstance(value, dict):
        value = next((value[name] for name in _NAMES if value.get(name)), None)
    if isinstance(value, str) and value.strip():
        return (("user", value.strip()),)
    if isinstance(value, list) and value and all(_is_turn(turn) for turn in value) and value[-1]["role"] == "user":
        return tuple((turn["role"], turn["content"]) for turn in value)
    raise InputError(
        "The line has no prompt.", where=where, fix='for example: {"prompt": "Which day is after Monday?"}'
    )


def _is_turn(turn: object) -> bool:
    return isinstance(turn, dict) and turn.get("role") in _ROLES and isinstance(turn.get("content"), str)
