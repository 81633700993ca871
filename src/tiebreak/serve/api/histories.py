"""From the messages of a request to the turns of a conversation, the calls of tools and their results among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tiebreak.data.preference import Message
from tiebreak.data.tools import calls_text
from tiebreak.serve.api.errors import RequestFailed
from tiebreak.serve.api.requests import ChatMessage

_ROLES: dict[str, Any] = {"developer": "system"}


def text_of(message: ChatMessage) -> Message:
    """A turn with what it says, and nothing beside that."""
    return Message(_ROLES.get(message.role, message.role), message.text)


def turns_of(messages: Sequence[ChatMessage]) -> tuple[Message, ...]:
    """The turns of a conversation.

    Raises:
        RequestFailed: a call is none, a result answers no call, or the last turn's calls have no results.
    """
    called: dict[str, str] = {}  # the tool of each call, by the id of the call
    turns = [_turn(message, f"messages.{at}", called) for at, message in enumerate(messages)]
    if turns and turns[-1].tool_calls is not None:
        where = f"messages.{len(turns) - 1}.tool_calls"
        raise RequestFailed(400, f"{where}: the results of these calls are missing after them.", param=where)
    return tuple(turns)


def _turn(message: ChatMessage, where: str, called: dict[str, str]) -> Message:
    if message.role == "tool":
        name, place = message.tool_call_id, f"{where}.tool_call_id"
        if name is None or name not in called:
            what = "is missing" if name is None else "is that of no call before it"
            raise RequestFailed(400, f"{place}: the id of a tool's result {what}.", param=place)
        return Message("tool", message.text, tool_call_id=name, name=called[name])
    if not message.tool_calls:
        return text_of(message)
    calls = []
    for number, call in enumerate(message.tool_calls):
        called[call.id] = call.function.name
        function = {"name": call.function.name, "arguments": call.function.arguments}
        try:
            calls_text([{"id": call.id, "function": function}])
        except ValueError as error:
            place = f"{where}.tool_calls.{number}.function.arguments"
            raise RequestFailed(400, f"{place}: {error}.", param=place) from None
        calls.append({"id": call.id, "function": function})
    return Message("assistant", message.text, tool_calls=calls_text(calls))
