"""What stands before a completion: the prompt with its system message and earlier turns, from the roles of a row.

Knows roles and conversations; knows nothing of what is answered.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tiebreak.data.forms import conversation as talk
from tiebreak.data.forms.fields import Dropped, RowProblem
from tiebreak.data.forms.paths import unpacked
from tiebreak.data.forms.roles import Columns
from tiebreak.data.preference import Message
from tiebreak.data.reading.rows import Values, quoted, shown

TWO_SYSTEMS = "a system turn in the conversation and another one beside it"
SEVERAL = "a conversation of several turns in one column"
_TEXT_KEYS = ("text", "content", "answer", "response", "completion", "output", "full_text", "value")


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt as it was read.

    Attributes:
        turns: its messages; whether they can be answered is checked when the completions are known.
        rendered: the text that they were made of, where the prompt is a conversation as text; answers may repeat it.
        packed: whether the prompt was a list of one text, which the answers then are too.
        column: where it stands, for messages.
    """

    turns: tuple[Message, ...]
    rendered: str | None
    packed: bool
    column: str


def read_prompt(values: Values, columns: Columns) -> Asked:
    """The prompt of a row, without what stands before it.

    Raises:
        RowProblem: a value is no prompt.
        Dropped: it is a sound one that cannot be used.
    """
    expression = columns.roles.get("prompt")
    if expression is None:
        return Asked((), None, packed=False, column="prompt")
    column, value = expression.text, expression.get(values)
    rendered, packed = None, False
    if isinstance(value, str):
        turns = talk.rendered_prompt(value, column)
        if turns is not None:
            rendered = value
        elif value.startswith(("[", "{")):
            opened = unpacked(value)
            packed = isinstance(opened, list) and bool(opened) and all(isinstance(each, str) for each in opened)
            turns = _turns(opened if packed or talk.is_turns(opened) or talk.is_turn(opened) else value, column)
        else:
            turns = _said(value, column)
    else:
        if value is None:
            raise missing(values, columns, "prompt", "text or a list of messages")
        packed = isinstance(value, list) and all(isinstance(each, str) for each in value)
        turns = _turns(value, column)
    return Asked(turns, rendered, packed, column)


def _turns(value: object, column: str) -> tuple[Message, ...]:
    if isinstance(value, str):
        return _said(value, column)
    if talk.is_turns(value) or talk.is_turn(value):
        return talk.turns(value, column)
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        if len(value) > 1:
            raise Dropped(SEVERAL)
        return _said(value[0], column)
    if talk.is_parts(value):
        return _said(talk.joined_parts(value, column, 0), column)
    if isinstance(value, list):
        return talk.turns(value, column)  # says which message is none
    if isinstance(value, Mapping) and (said := text_inside(value)) is not None:
        return _said(said, column)
    raise RowProblem(column, "text or a list of messages", shown(value))


def text_inside(value: Mapping[str, Any]) -> str | None:
    """The text of an object that has one under a usual key."""
    found = next((value[key] for key in _TEXT_KEYS if value.get(key) is not None), None)
    return found if isinstance(found, str) else None


def _said(text: str, column: str) -> tuple[Message, ...]:
    if not text or text.isspace():
        raise RowProblem(column, "a prompt", shown(text))
    return (Message("user", text),)


def preceded(
    turns: tuple[Message, ...], values: Values, columns: Columns, there: frozenset[str]
) -> tuple[Message, ...]:
    """A prompt after the system message and the history of its row.

    Args:
        turns: the prompt.
        values, columns: the row and its roles.
        there: of the roles beside the completions those that the row has.
    Raises:
        RowProblem: a value is no system message or no history.
        Dropped: it is a sound one that cannot be used.
    """
    if "history" in there:
        value = columns.roles["history"].get(values)
        if value is not None and value != []:
            turns = _with_history(turns, _history(value, columns.roles["history"].text))
    if "system" in there:
        value = columns.roles["system"].get(values)
        if value is not None:
            return with_system(turns, value, columns.roles["system"].text)
    return turns


def with_system(turns: tuple[Message, ...], value: Any, column: str) -> tuple[Message, ...]:
    """Turns after a system message; one that says the same already is enough.

    Raises:
        RowProblem: the value is no text.
        Dropped: the turns begin with another one.
    """
    if talk.is_turn(value) or talk.is_turns(value):
        value = talk.turns(value, column)[0].content
    if not isinstance(value, str):
        raise RowProblem(column, "text", shown(value))
    if not value.strip():
        return turns
    if turns and turns[0].role == "system":
        if turns[0].content.strip() == value.strip():
            return turns
        raise Dropped(TWO_SYSTEMS)
    return (Message("system", value), *turns)


def _with_history(turns: tuple[Message, ...], history: tuple[Message, ...]) -> tuple[Message, ...]:
    system, rest = (turns[:1], turns[1:]) if turns and turns[0].role == "system" else ((), turns)
    if history and rest and history[-1] == rest[0] and rest[0].role == "user":
        history = history[:-1]  # it ends with what is asked
    return turns if rest[: len(history)] == history else (*system, *history, *rest)


def _history(value: Any, column: str) -> tuple[Message, ...]:
    value = unpacked(value)
    if isinstance(value, str) and not value.strip():
        return ()
    if talk.is_turns(value):
        return talk.turns(value, column)
    expected = "a list of [question, answer]"
    if not isinstance(value, list):
        raise RowProblem(column, expected, shown(value))
    messages: list[Message] = []
    for exchange in value:
        exchange = _exchange(exchange)
        if (
            not isinstance(exchange, list | tuple)
            or len(exchange) != 2
            or not all(isinstance(said, str) for said in exchange)
        ):
            raise RowProblem(column, expected, shown(exchange))
        messages += [Message("user", exchange[0]), Message("assistant", exchange[1])]
    return tuple(messages)


_EXCHANGES = (
    *(("user", "assistant"), ("user", "bot"), ("human", "assistant"), ("question", "answer"), ("input", "output")),
    *(("prompt", "response"), ("query", "response"), ("instruction", "output")),
)


def _exchange(value: Any) -> Any:
    """A question and its answer as a list, where they stand in an object."""
    if not isinstance(value, Mapping):
        return value
    keys = next((keys for keys in _EXCHANGES if all(isinstance(value.get(key), str) for key in keys)), None)
    return value if keys is None else [value[key] for key in keys]


def missing(values: Values, columns: Columns, role: str, expected: str) -> RowProblem:
    """The complaint about a role without a value."""
    expression = columns.roles[role]
    column = expression.text
    if any(name in values for name in expression.columns):
        return RowProblem(column, expected, "null")
    names = [str(name) for name in values]
    wanted = expression.paths[0].column
    near = difflib.get_close_matches(wanted, names, n=1)
    fix = f"rename the column '{near[0]}' to '{wanted}'" if near else None
    return RowProblem(column, expected, f"no such column (the row has {quoted(', '.join(names), 80)})", fix)
