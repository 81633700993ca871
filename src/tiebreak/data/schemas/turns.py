"""Conversations as lists of messages, whatever the keys and the names of the roles.

Knows the ways in which public data writes a turn; knows nothing of preferences.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tiebreak.data.preference import Message, Role
from tiebreak.data.problems import LeftOut, RowProblem, shown

_ROLES: dict[str, Role] = {
    **dict.fromkeys(("system", "developer", "context"), "system"),
    **dict.fromkeys(("user", "human", "prompter", "instruction", "question"), "user"),
    **dict.fromkeys(
        ("assistant", "gpt", "bot", "chatgpt", "chatbot", "bing", "bard", "model", "ai", "answer"), "assistant"
    ),
}
_KEYS = (("role", "content"), ("from", "value"))
_TOOLS = {"tool", "function", "function_call", "function-call", "observation", "tool_call", "tool_response", "ipython"}


def is_turn(value: object) -> bool:
    """Whether a value looks like one message."""
    return isinstance(value, Mapping) and _keys(value) is not None


def _keys(value: Mapping[str, Any]) -> tuple[str, str] | None:
    """The keys of role and text. Tables fill the keys that a row does not have with null, so null is none."""
    return next((keys for keys in _KEYS if value.get(keys[0]) is not None and keys[1] in value), None)


def is_turns(value: object) -> bool:
    """Whether a value looks like a list of messages, or a CSV cell that holds one."""
    value = unpacked(value)
    return isinstance(value, list) and bool(value) and is_turn(value[0])


def unpacked(value: object) -> object:
    """A CSV cell that holds a JSON list as that list; anything else as it is."""
    if isinstance(value, str) and value.startswith(("[", "{")) and value.rstrip().endswith(("]", "}")):
        try:
            found = json.loads(value)
            if "\\ud" in value.lower():
                json.dumps(found, ensure_ascii=False).encode()  # refuses half a surrogate pair, as Arrow would
        except (ValueError, RecursionError):
            return value
        return found
    return value


def turns(value: object, column: str) -> tuple[Message, ...]:
    """Messages of a column that holds a list of them.

    Raises:
        RowProblem: it is not such a list.
        LeftOut: it has turns that no prompt of text can hold.
    """
    value = unpacked(value)
    if is_turn(value):
        value = [value]
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise RowProblem(column, "a list of messages", shown(value))
    return tuple(_turn(each, column, index) for index, each in enumerate(value))


def _turn(value: object, column: str, index: int) -> Message:
    keys = _keys(value) if isinstance(value, Mapping) else None
    if keys is None or not isinstance(value, Mapping):
        raise RowProblem(column, f"a message with role and content at place {index + 1}", shown(value))
    name = value[keys[0]]
    role = _ROLES.get(name.strip().lower()) if isinstance(name, str) else None
    if role is None:
        if isinstance(name, str) and name.strip().lower() in _TOOLS:
            raise LeftOut("a turn of a tool")
        raise RowProblem(column, f"a role such as user or assistant at place {index + 1}", shown(name))
    return Message(role, _content(value[keys[1]], column, index))


def _content(value: Any, column: str, index: int) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list) and all(isinstance(part, Mapping) for part in value):
        if any(part.get("type", "text") != "text" for part in value):
            raise LeftOut("a turn with an image or another thing that is not text")
        if all(isinstance(part.get("text"), str) for part in value):
            return "".join(part["text"] for part in value).strip()
    raise RowProblem(column, f"text as the content of message {index + 1}", shown(value))


def asked(prompt: tuple[Message, ...], column: str) -> tuple[Message, ...]:
    """A prompt that is fit to be answered.

    Raises:
        RowProblem: it does not end with the user's turn, or that turn is empty.
    """
    if not prompt:
        raise RowProblem(column, "a conversation that ends with the user's turn", "no turn at all")
    last = prompt[-1]
    if last.role != "user":
        raise RowProblem(column, "a conversation that ends with the user's turn", f"a last turn of the {last.role}")
    if not last.content:
        raise RowProblem(column, "a last turn with text", "an empty one")
    return prompt
