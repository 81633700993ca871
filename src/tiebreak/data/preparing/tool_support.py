"""What a chat template does with tools, found out by writing a small conversation: many leave them out in silence.

Knows the turns of a conversation as templates are given them; knows no tokenizer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Turn = dict[str, Any]
Write = Callable[[list[Turn], list[dict[str, Any]] | None], str | None]

# Words that stand in no template.
_TOOL, _CALLED, _GIVEN, _RESULT = "zqtool", "zqcalled", "zqgiven", "zqresult"
_USER: Turn = {"role": "user", "content": "Hello."}
_SCHEMA: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": _TOOL,
        "description": "A tool.",
        "parameters": {"type": "object", "properties": {"a": {"type": "string", "description": "A word."}}},
    },
}
_LONG_ID, _SHORT_ID = "call_0123456789", "a1b2c3d4e"


@dataclass(frozen=True)
class ToolSupport:
    """What a template does with tools.

    Attributes:
        writes: which of `tools`, `calls of tools` and `results of tools` reach its text.
        arguments_as_text: whether it is given a call's arguments as JSON text, and not as an object.
        short_ids: whether it takes ids of nine letters and digits alone, as Mistral's.
    """

    writes: frozenset[str] = field(default_factory=frozenset)
    arguments_as_text: bool = False
    short_ids: bool = False

    def calls(self, calls: list[Mapping[str, Any]] | list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Calls as the template takes them."""
        return [self._call(call) for call in calls]

    def _call(self, call: Mapping[str, Any]) -> dict[str, Any]:
        function, named = dict(call["function"]), {}
        if self.arguments_as_text:
            function["arguments"] = json.dumps(function["arguments"], ensure_ascii=False)
        if "id" in call:
            named["id"] = self.call_id(call["id"])
        return {**call, **named, "function": function}

    def call_id(self, name: str) -> str:
        """The id of a call as the template takes it: the same in the call and in its result."""
        if not self.short_ids or (len(name) == len(_SHORT_ID) and name.isalnum()):
            return name
        return hashlib.blake2b(name.encode(), digest_size=8).hexdigest()[: len(_SHORT_ID)]


def found_support(write: Write) -> ToolSupport:
    """What a template does with tools.

    Args:
        write: the text of a conversation with some tools, or None where the template refuses it.
    """
    writes = {"tools"} if _TOOL in (write([_USER], [_SCHEMA]) or "") else set()
    for as_text in (False, True):
        for name in (_LONG_ID, _SHORT_ID):
            call = _called(name, as_text)
            text = write([_USER, call], [_SCHEMA]) or ""
            if _CALLED in text and _GIVEN in text:
                result = {"role": "tool", "content": _RESULT, "tool_call_id": name, "name": _CALLED}
                if _RESULT in (write([_USER, call, result], [_SCHEMA]) or ""):
                    return ToolSupport(
                        frozenset({*writes, "calls of tools", "results of tools"}), as_text, name == _SHORT_ID
                    )
                if name == _SHORT_ID:
                    return ToolSupport(frozenset({*writes, "calls of tools"}), as_text)
    return ToolSupport(frozenset(writes))


def _called(name: str, as_text: bool) -> Turn:
    given: Any = {"a": _GIVEN}
    function = {"name": _CALLED, "arguments": json.dumps(given) if as_text else given}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": name, "type": "function", "function": function}],
    }
