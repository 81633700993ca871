"""How a model writes calls of tools: seen in what its chat template makes of a call that was made up.

A template that writes calls of earlier turns shows how the model was taught to write them: what stands around the call,
and which keys it has. Of one that writes none, or writes only some, the marks that its text names are known from
`MARKS`; a template without any of them is taken to mean plain JSON. No model is known by its name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tiebreak.data.preference import Message
from tiebreak.data.preparing.templates import Refused, Renderer
from tiebreak.data.preparing.typed_tokens import SENTINEL
from tiebreak.data.tools import calls_text, tools_text

Shape = Literal["object", "list", "named"]
"""A call is a JSON object with its name in it; or there is a list of these; or the name stands before its arguments."""

MARKS: Mapping[str, str] = {
    "<tool_call>": "</tool_call>",
    "<tool_calls>": "</tool_calls>",
    "<|tool_call|>": "<|/tool_call|>",
    "<|tool_call_start|>": "<|tool_call_end|>",
    "<|tool_calls_section_begin|>": "<|tool_calls_section_end|>",
    "<functioncall>": "</functioncall>",
    "[TOOL_CALLS]": "",
    "<|python_tag|>": "",
    "<|START_ACTION|>": "<|END_ACTION|>",
}
"""What public models begin a call with, and what closes it; for templates that name the mark and write no call."""

NAME_KEYS = ("name", "tool_name", "function")
ARGUMENT_KEYS = ("arguments", "parameters", "args")

# Words that stand in no template.
_NAME, _OTHER, _KEY, _GIVEN, _ID = "zqcalled", "zqother", "zqkey", "zqgiven", "a1b2c3d4e"
_USER = Message("user", "Hello.")


@dataclass(frozen=True)
class Notation:
    """How calls are written.

    Attributes:
        openings: what a call begins with, the template's own first; empty where it begins with its JSON.
        closings: what closes a call.
        shape: of a call.
        begun: what stands between the prompt and the call itself, where the call is all of the answer.
        sample: the made-up call as JSON that the template wrote; None where the template writes none.
        middle: of the shape `named`, what stands between the name and the arguments.
        spaced: whether the JSON has spaces after colons and commas.
        several: whether one answer may hold several calls.
    """

    openings: tuple[str, ...]
    closings: tuple[str, ...]
    shape: Shape = "object"
    begun: str = ""
    sample: Any = None
    middle: str = ""
    spaced: bool = True
    several: bool = True

    @property
    def marks(self) -> tuple[str, ...]:
        """Every text that tells a call apart; special tokens in them are part of the text of an answer."""
        return tuple(mark for mark in (*self.openings, *self.closings, self.middle) if mark.strip())


def found_notation(renderer: Renderer) -> Notation | None:
    """How a model writes its calls.

    Args:
        renderer: of the model.
    Returns:
        The notation; None where the template writes calls in a way that is not understood here.
    """
    names = _named_in(str(renderer.tokenizer.get_chat_template(None, _tools())))
    if "calls of tools" not in renderer.support.writes:
        openings, closings = tuple(names) or ("",), tuple(filter(None, names.values()))
        begun = f"{openings[0]}\n" if openings[0] else ""
        return Notation(openings, closings, begun=begun)
    return _seen(renderer, names)


def _named_in(template: str) -> dict[str, str]:
    """The marks that a template names; of several that contain each other, each."""
    return {opening: closing for opening, closing in MARKS.items() if opening in template}


def _tools() -> Any:
    parameters = {"type": "object", "properties": {_KEY: {"type": "string", "description": "A word."}}}
    return [
        {"type": "function", "function": {"name": name, "description": "A tool.", "parameters": parameters}}
        for name in (_NAME, _OTHER)
    ]


def _seen(renderer: Renderer, names: Mapping[str, str]) -> Notation | None:
    tools = tools_text(_tools())

    def answered(answer: Message) -> str | None:
        try:
            return renderer.whole([_USER, answer], tools)
        except Refused:
            return None

    plain, one = answered(Message("assistant", SENTINEL)), answered(_calling(_NAME))
    if plain is None or one is None or SENTINEL not in plain:
        return None
    head, _, tail = plain.partition(SENTINEL)
    prompt = renderer.prompt([_USER], tools)
    start = _start(one, head, prompt)
    found = _json_call(one, start) or _named_call(one, start)
    if found is None:
        return None
    end = one[found.end :].removesuffix(tail)
    closing = end.split(renderer.tokenizer.eos_token or tail or "\0")[0].replace(_ID, "").strip()
    opening = one[start : found.start].strip()
    others = {mark: close for mark, close in names.items() if mark not in opening}
    return Notation(
        openings=(opening, *others) if opening or others else ("",),
        closings=tuple(filter(None, (closing, *others.values()))),
        shape=found.shape,
        begun=one[len(prompt) if one.startswith(prompt) else start : found.start],
        sample=found.value,
        middle=found.middle,
        spaced='": ' in one[found.start : found.end],
        several=_OTHER in (answered(_calling(_NAME, _OTHER)) or ""),
    )


def _start(one: str, head: str, prompt: str) -> int:
    """Where an answer begins in a conversation whose plain answer begins after `head`."""
    for before in (head, prompt):
        if one.startswith(before):
            return len(before)
    shared = head[: next((at for at, (a, b) in enumerate(zip(head, one, strict=False)) if a != b), len(one))]
    return max(shared.rfind(sign) for sign in (">", "]", "\n")) + 1  # not in the middle of a mark


def _calling(*names: str) -> Message:
    calls = [
        {"id": _ID if name == _NAME else _ID[::-1], "function": {"name": name, "arguments": {_KEY: _GIVEN}}}
        for name in names
    ]
    return Message("assistant", "", calls_text(calls))


@dataclass(frozen=True)
class _Found:
    """Where the made-up call stands in a text, and what it is."""

    start: int
    end: int
    shape: Shape
    value: Any
    middle: str = ""


def _json_call(text: str, start: int) -> _Found | None:
    """The outermost JSON value that holds the name and the arguments of the call."""
    for at, end, value in _values(text, start):
        items = value if isinstance(value, list) else [value]
        if len(items) == 1 and isinstance(items[0], dict) and read_call(items[0]) == (_NAME, {_KEY: _GIVEN}):
            return _Found(at, end, "list" if isinstance(value, list) else "object", items[0])
    return None


def _named_call(text: str, start: int) -> _Found | None:
    """The name of the call with its arguments somewhere after it."""
    at = text.find(_NAME, start)
    for begin, end, value in _values(text, max(at, 0)):
        if at >= 0 and value == {_KEY: _GIVEN}:
            return _Found(at, end, "named", value, text[at + len(_NAME) : begin])
    return None


def _values(text: str, start: int) -> Iterator[tuple[int, int, Any]]:
    """The JSON objects and lists that begin anywhere in a text: where, up to where, and what they are."""
    decode: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().raw_decode
    for at in range(start, len(text)):
        if text[at] in "{[":
            try:
                value, end = decode(text, at)
            except (ValueError, RecursionError):
                continue
            yield at, end, value


def read_call(value: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Name and arguments of a call that is a JSON object; None where it is none."""
    inner = value.get("function")
    said = inner if isinstance(inner, Mapping) else value
    name = next((said[key] for key in NAME_KEYS if isinstance(said.get(key), str)), None)
    arguments: Any = next((said[key] for key in ARGUMENT_KEYS if said.get(key) is not None), {})
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return None
    return (name, arguments) if name and isinstance(arguments, dict) else None
