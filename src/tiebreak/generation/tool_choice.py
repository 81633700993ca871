"""A tool that has to be called: the answer begins inside the call, and its arguments fit the schema of the tool.

Knows notations and JSON schemas; how a schema is kept to is in `grammar.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tiebreak.errors import InputError
from tiebreak.generation.tool_notation import ARGUMENT_KEYS, NAME_KEYS, Notation

_CALLS = 16  # most calls of a list
_NOTHING: Mapping[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


@dataclass(frozen=True)
class RequiredCall:
    """How an answer is made to be a call.

    Attributes:
        begun: text after the prompt that the answer goes on with.
        schema: of the JSON that follows.
        name: of the tool, where it is in `begun`; the JSON is its arguments then.
    """

    begun: str
    schema: Mapping[str, Any]
    name: str | None = None


def required_call(notation: Notation, tools: Sequence[Mapping[str, Any]], *, several: bool = True) -> RequiredCall:
    """How an answer is made to call one of some tools.

    Args:
        notation: how the model writes calls.
        tools: that may be called, as OpenAI's API has them; at least one.
        several: whether a list may hold more than one call.
    Raises:
        InputError: the notation does not allow it.
    """
    functions = [tool["function"] for tool in tools]
    schemas = {f"tool{i}": _relocated(_parameters(one), f"tool{i}") for i, one in enumerate(functions)}
    spaces = {"item_separator": ", ", "key_separator": ": "} if notation.spaced else {}
    shared = {"$defs": schemas, "x-guidance": {"whitespace_flexible": False, **spaces}}
    if notation.shape == "named":
        if len(functions) > 1:
            raise InputError(
                "This model writes the name of a tool before its arguments: one has to be named.",
                fix="name the function in tool_choice",
            )
        name = str(functions[0]["name"])
        return RequiredCall(notation.begun + name + notation.middle, {"$ref": "#/$defs/tool0", **shared}, name)
    sample = {"name": "", "arguments": {}} if notation.sample is None else notation.sample
    calls = [_call(sample, str(one["name"]), f"tool{i}") for i, one in enumerate(functions)]
    one_of = calls[0] if len(calls) == 1 else {"anyOf": calls}
    if notation.shape == "object":
        return RequiredCall(notation.begun, one_of | shared)
    most = _CALLS if several else 1
    return RequiredCall(notation.begun, {"type": "array", "items": one_of, "minItems": 1, "maxItems": most, **shared})


def _call(sample: Mapping[str, Any], name: str, tool: str) -> dict[str, Any]:
    """The schema of a call that has the keys of a sample, in its order."""
    return _object({key: _value(key, value, name, tool) for key, value in sample.items()})


def _value(key: str, value: Any, name: str, tool: str) -> dict[str, Any]:
    if isinstance(value, Mapping) and key not in ARGUMENT_KEYS:
        return _call(value, name, tool)
    if key in ARGUMENT_KEYS:
        if isinstance(value, str):
            raise InputError("This model writes arguments as text inside of JSON, so that no schema can be kept.")
        return {"$ref": f"#/$defs/{tool}"}
    if key in NAME_KEYS:
        return {"const": name}
    return {"type": "string", "pattern": "^[a-zA-Z0-9]{9}$"} if key == "id" or key.endswith("_id") else {"const": value}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def _parameters(function: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a tool's arguments, which are an object whatever it says; without one it takes none."""
    parameters = function.get("parameters")
    if not parameters:
        return _NOTHING
    return {key: value for key, value in parameters.items() if key not in ("$schema", "$id")} | {"type": "object"}


def _relocated(schema: Any, name: str) -> Any:
    """A schema as it is where it stands under `$defs` of another: what it refers to inside of itself moves with it."""
    if isinstance(schema, Mapping):
        return {
            key: f"#/$defs/{name}{value[1:]}"
            if key == "$ref" and isinstance(value, str) and value.startswith("#")
            else _relocated(value, name)
            for key, value in schema.items()
        }
    return [_relocated(each, name) for each in schema] if isinstance(schema, list) else schema
