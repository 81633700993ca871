"""Messages with keys and speakers of other names, as messages with the usual ones.

    conversation=talk  role_key=speaker  content_key=said  user_role=Q  assistant_role=A

Knows messages; which roles hold them is said where roles are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tiebreak.data.forms.conversation import keys_of
from tiebreak.data.forms.paths import unpacked

KEYS: Mapping[str, str] = {
    "role_key": "the key of a message that says who speaks",
    "content_key": "the key of what is said",
}
SPEAKERS: Mapping[str, str] = {
    "user_role": "user",
    "assistant_role": "assistant",
    "system_role": "system",
    "tool_role": "tool",
    "call_role": "function_call",
}
"""Settings that say what a speaker is called, and the usual name of each."""
SPELLINGS: Mapping[str, str] = {**KEYS, **{name: f"what messages call the {who}" for name, who in SPEAKERS.items()}}

Spelled = Callable[[Any], Any]


def spelled(given: Mapping[str, str]) -> Spelled | None:
    """What gives messages their usual keys and speakers; None where nothing is said of them.

    Args:
        given: settings of `SPELLINGS`; of speakers several names, separated by `|`.
    """
    if not any(given.get(name) for name in SPELLINGS):
        return None
    own = tuple(given.get(name) or None for name in KEYS)
    names = {
        word.strip().lower(): usual
        for setting, usual in SPEAKERS.items()
        for word in given.get(setting, "").split("|")
        if word.strip()
    }

    def of_turn(turn: Mapping[str, Any]) -> Mapping[str, Any]:
        usual = keys_of(turn) or (None, None)
        role, content = own[0] or usual[0], own[1] or usual[1]
        if role is None or role not in turn or content is None:
            return turn
        said = turn[role]
        speaker = names.get(said.strip().lower(), said) if isinstance(said, str) else said
        rest = {key: value for key, value in turn.items() if key not in (role, content, "role", "content")}
        return {"role": speaker, "content": turn.get(content), **rest}

    def of(value: Any) -> Any:
        if isinstance(value, str):
            opened = unpacked(value)
            first = opened[0] if isinstance(opened, list) and opened else opened
            return of(opened) if isinstance(first, Mapping) else value
        if isinstance(value, list | tuple):
            return [of(each) if isinstance(each, Mapping | list) else each for each in value]
        return of_turn(value) if isinstance(value, Mapping) else value

    return of
