"""Tools and the calls of them as JSON text of one form: the form that chat templates are given them in.

Knows the ways in which public data writes a tool and a call; knows nothing of columns and of templates. What is wrong
is said by a `ValueError`: whoever reads a row knows where it stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def tools_text(value: object) -> str | None:
    """The tools that an assistant may call, as JSON text of a list; None where there are none.

    Args:
        value: a list of schemas, one schema, or JSON text of either. A schema stands under `function`, as OpenAI has
            it, or by itself.
    Raises:
        ValueError: it is nothing of that kind.
    """
    found = _unpacked(_known(value), "tools")
    tools = found if isinstance(found, list) else [found] if found else []
    return _written([_tool(_unpacked(tool, "a tool")) for tool in tools]) if tools else None


def calls_text(value: object) -> str | None:
    """The calls of one turn, as JSON text of a list; None where there are none.

    Args:
        value: a list of calls, one call, or JSON text of either: `{"id", "type", "function": {"name", "arguments"}}`
            as OpenAI has them, or what stands under `function` by itself. Arguments are an object or JSON text of one.
    Raises:
        ValueError: it is nothing of that kind.
    """
    found = _unpacked(_known(value), "tool_calls")
    calls = found if isinstance(found, list) else [found] if found else []
    return _written([_call(_unpacked(call, "a call")) for call in calls]) if calls else None


def from_text(text: str | None) -> list[dict[str, Any]] | None:
    """The list that `tools_text` or `calls_text` wrote."""
    if text is None:
        return None
    found: list[dict[str, Any]] = json.loads(text)
    return found


def _unpacked(value: object, what: str) -> Any:
    """JSON text as what it says; anything else as it is."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError(f"{what} as text that is no JSON") from None


def _known(value: Any) -> Any:
    """Without the keys that are null: a table gives every row the keys of all rows. JSON text means what it says."""
    if isinstance(value, Mapping):
        return {key: _known(each) for key, each in value.items() if each is not None}
    return [_known(each) for each in value] if isinstance(value, list | tuple) else value


def _tool(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("a tool that is no object")
    inner = value.get("function")
    schema = dict(inner if isinstance(inner, Mapping) else value)
    if not isinstance(schema.get("name"), str) or not schema["name"]:
        raise ValueError("a tool without a name")
    if isinstance(schema.get("parameters"), str):  # tables keep it as text, since tools differ in it
        schema["parameters"] = _unpacked(schema["parameters"], "a tool's parameters")
    if not isinstance(inner, Mapping) and schema.get("type") == "function":
        del schema["type"]
    return {"type": "function", "function": schema}


def _call(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("a call that is no object")
    inner = value.get("function")
    said = inner if isinstance(inner, Mapping) else value
    if not isinstance(said.get("name"), str) or not said["name"]:
        raise ValueError("a call without the name of a tool")
    arguments = _unpacked(said.get("arguments", said.get("parameters")), "a call's arguments")
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, Mapping):
        raise ValueError("a call's arguments that are no object")
    named = {"id": value["id"]} if isinstance(value.get("id"), str) and value["id"] else {}
    return {**named, "type": "function", "function": {"name": said["name"], "arguments": arguments}}


def _written(value: list[dict[str, Any]]) -> str:
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("text with half a surrogate pair") from None
    return text
