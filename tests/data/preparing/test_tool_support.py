"""What a chat template does with tools is seen in what it writes."""

from __future__ import annotations

from typing import Any

import pytest

from tiebreak.data.preparing.tool_support import ToolSupport, found_support

EVERYTHING = frozenset({"tools", "calls of tools", "results of tools"})


def writer(*, arguments: type = dict, ids: int | None = None, tools: bool = True, results: bool = True) -> Any:
    def write(turns: list[dict[str, Any]], given: list[dict[str, Any]] | None) -> str | None:
        text = str(given) if tools else ""
        for turn in turns:
            for call in turn.get("tool_calls", []):
                if not isinstance(call["function"]["arguments"], arguments):
                    return None
                if ids is not None and len(call["id"]) != ids:
                    return None
                text += str(call)
            if turn["role"] == "tool" and not results:
                return None
            text += str(turn["content"])
        return text

    return write


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ToolSupport(EVERYTHING)),
        ({"arguments": str}, ToolSupport(EVERYTHING, arguments_as_text=True)),
        ({"ids": 9}, ToolSupport(EVERYTHING, short_ids=True)),
        ({"arguments": str, "ids": 9}, ToolSupport(EVERYTHING, arguments_as_text=True, short_ids=True)),
        ({"tools": False}, ToolSupport(EVERYTHING - {"tools"})),
        ({"results": False}, ToolSupport(EVERYTHING - {"results of tools"})),
        ({"ids": 3}, ToolSupport(frozenset({"tools"}))),
    ],
)
def test_a_template_is_given_calls_as_it_takes_them(settings: Any, expected: ToolSupport) -> None:
    assert found_support(writer(**settings)) == expected


def test_calls_keep_their_ids_and_arguments() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": {"a": "\u0e01"}}}
    assert ToolSupport().calls([call]) == [call]
    (made,) = ToolSupport(arguments_as_text=True, short_ids=True).calls([call])
    assert made["function"] == {"name": "f", "arguments": '{"a": "\u0e01"}'}
    support = ToolSupport(short_ids=True)
    assert made["id"] == support.call_id("call_1") != support.call_id("call_2")
    assert len(made["id"]) == 9
    assert support.call_id("a1b2c3d4e") == "a1b2c3d4e"
