r"""Reading a conversation: messages in every way that public data writes them, transcripts, and rendered ChatML.

Text is taken byte for byte. What belongs to a notation is no text: the blank after `\n\nAssistant:`, the line break
after `<|im_start|>user`. Messages may be `role` and `content`, `from` and `value` and their kind; contents may be parts
of text. A prompt of text is a conversation already where it is a transcript that ends in `\n\nAssistant:` (the form of
Anthropic/hh-rlhf) or ChatML from its first character; else it is what the user says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tiebreak.data.forms.fields import Dropped, RowProblem, not_empty
from tiebreak.data.forms.paths import unpacked
from tiebreak.data.preference import Message, Role
from tiebreak.data.reading.rows import quoted, shown
from tiebreak.data.tools import calls_text

HUMAN = "\n\nHuman:"
ASSISTANT = "\n\nAssistant:"
_TURN = re.compile(r"\n\n(Human|Assistant):")
_CHATML = re.compile(r"<\|im_start\|>(\w+)\n(.*?)(?:<\|im_end\|>\n?|\Z)", re.DOTALL)
_ASSISTANT = ASSISTANT.strip()
_CHATML_START = "<|im_start|>"
_CHATML_END = "<|im_end|>"

ROLES: dict[str, Role] = {
    **dict.fromkeys(("system", "developer", "context"), "system"),
    **dict.fromkeys(("user", "human", "prompter", "instruction", "question"), "user"),
    **dict.fromkeys(
        ("assistant", "gpt", "bot", "chatgpt", "chatbot", "bing", "bard", "model", "ai", "answer"), "assistant"
    ),
}
_KEYS = (
    ("role", "content"),
    ("from", "value"),
    ("role", "value"),
    ("from", "content"),
    ("role", "text"),
    ("speaker", "text"),
)
KNOWN_KEYS = frozenset(key for keys in _KEYS for key in keys)
"""The keys of a message that are read."""
_RESULTS = {"tool", "function", "observation", "tool_response", "tool_result", "ipython"}
_CALLING = {"function_call", "function-call", "tool_call", "tool-call"}
_CALLS = ("tool_calls", "function_call")
BESIDE = frozenset({"tool_calls", "function_call", "tool_call_id", "reasoning_content", "reasoning"})
"""Keys of a message that are read beside who speaks and what is said."""
_PICTURES = ("images", "image", "audio", "video", "videos")
_A_PICTURE = "a turn with an image or another thing that is not text"


def is_turn(value: object) -> bool:
    """Whether a value looks like one message."""
    return isinstance(value, dict) and keys_of(value) is not None


def keys_of(value: Mapping[str, Any]) -> tuple[str, str] | None:
    """The keys of role and text. Tables fill the keys that a row does not have with null, so null is none."""
    if "content" in value and value.get("role") is not None:
        return _KEYS[0]
    return next((keys for keys in _KEYS if value.get(keys[0]) is not None and keys[1] in value), None)


def is_turns(value: object) -> bool:
    """Whether a value looks like a list of messages, or a CSV cell that holds one."""
    value = unpacked(value)
    return isinstance(value, list) and bool(value) and is_turn(value[0])


def role_of(turn: object) -> Role | None:
    """Who speaks in a message, where that is known."""
    keys = keys_of(turn) if isinstance(turn, dict) else None
    name = turn[keys[0]] if keys and isinstance(turn, dict) else None
    return ROLES.get(name.strip().lower()) if isinstance(name, str) else None


def is_parts(value: object) -> bool:
    """Whether a value is a text in parts, `[{type: text, text: …}]`."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(part, Mapping) and "type" in part and ("text" in part or "value" in part) for part in value)
    )


def turns(value: object, column: str) -> tuple[Message, ...]:
    """Messages of a value that holds a list of them.

    Raises:
        RowProblem: it is not such a list.
        Dropped: it has turns that are no text.
    """
    value = unpacked(value)
    if is_turn(value):
        value = [value]
    if not isinstance(value, list | tuple) or not value:
        raise RowProblem(column, "a list of messages", shown(value))
    return tuple(_turn(each, column, index) for index, each in enumerate(value))


def _turn(value: object, column: str, index: int) -> Message:
    keys = keys_of(value) if isinstance(value, dict) else None
    if keys is None or not isinstance(value, dict):
        raise RowProblem(column, f"a message with role and content as message {index + 1}", shown(value))
    name = value[keys[0]]
    role = ROLES.get(name) or ROLES.get(name.strip().lower()) if isinstance(name, str) else None
    content = value[keys[1]]
    if role is None:
        word = name.strip().lower() if isinstance(name, str) else ""
        if word in _CALLING:
            return Message("assistant", "", tool_calls=_calls(content, column, index))
        if word not in _RESULTS:
            raise RowProblem(column, f"a role such as user or assistant as message {index + 1}", shown(name))
        role = "tool"
    if len(value) == 2 and isinstance(content, str):
        return Message(role, content)
    if any(value.get(key) for key in _PICTURES):
        raise Dropped(_A_PICTURE)
    calls = next((value[key] for key in _CALLS if value.get(key)), None) if role == "assistant" else None
    thought = value.get("reasoning_content") or value.get("reasoning")
    if content is None and calls is not None:
        content = ""
    return Message(
        role,
        content if isinstance(content, str) else joined_parts(content, column, index),
        tool_calls=None if calls is None else _calls(calls, column, index),
        tool_call_id=_name(value.get("tool_call_id")) if role == "tool" else None,
        name=_name(value.get("name")) if role == "tool" else None,
        reasoning_content=thought if role == "assistant" and isinstance(thought, str) else None,
    )


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _calls(value: object, column: str, index: int) -> str | None:
    try:
        return calls_text(value)
    except ValueError as error:
        raise RowProblem(column, f"calls of tools in message {index + 1}", str(error)) from None


def joined_parts(value: Any, column: str, index: int) -> str:
    """The text of a content in parts.

    Raises:
        RowProblem: it is something else.
        Dropped: a part is no text.
    """
    if isinstance(value, list) and value and all(isinstance(part, Mapping) for part in value):
        if any(str(part.get("type", "text")) not in ("text", "input_text", "output_text") for part in value):
            raise Dropped(_A_PICTURE)
        if any(part.get(key) for part in value for key in _PICTURES):
            raise Dropped(_A_PICTURE)
        texts = [part["text"] if part.get("text") is not None else part.get("value") for part in value]
        if all(isinstance(text, str) for text in texts):
            return "".join(texts)
    raise RowProblem(column, f"text as the content of message {index + 1}", shown(value))


def answered(spoken: tuple[Message, ...], column: str) -> tuple[Message, ...]:
    """Turns of which the last is an answer of the assistant that says something, or calls a tool.

    Raises:
        RowProblem: it is not.
    """
    last = spoken[-1]
    if last.role != "assistant":
        raise RowProblem(column, "a last turn of the assistant", f"a last turn of the {last.role}")
    if last.tool_calls is None:
        not_empty(last.content, column)
    return spoken


def asked(prompt: tuple[Message, ...], column: str) -> tuple[Message, ...]:
    """A prompt that is fit to be answered: by the user's turn, or the result of a tool.

    Raises:
        RowProblem: it does not end with such a turn, or that turn is empty.
    """
    if not prompt:
        raise RowProblem(column, "a conversation that ends with the user's turn", "no turn at all")
    last = prompt[-1]
    if last.role not in ("user", "tool"):
        raise RowProblem(column, "a conversation that ends with the user's turn", f"a last turn of the {last.role}")
    if last.role == "user" and not last.content.strip():
        raise RowProblem(column, "a last turn with text", "an empty one")
    return prompt


def is_transcript(value: Any) -> bool:
    """Text with a turn of the human and a turn of the assistant."""
    return isinstance(value, str) and ASSISTANT in value and (HUMAN in value or value.startswith(HUMAN.strip()))


def last_answer(transcript: str, column: str) -> int:
    """Where the last answer of a transcript begins.

    Raises:
        RowProblem: it has none.
    """
    start = transcript.rfind(ASSISTANT)
    if start < 0:
        raise RowProblem(column, r"a transcript with a '\n\nAssistant:' turn", shown(transcript))
    return start + len(ASSISTANT)


def spoken(text: str) -> str:
    """What stands after the colon of a transcript's turn, without the blank that belongs to the notation."""
    return text[1:] if text.startswith(" ") else text


def conversation(transcript: str, column: str) -> tuple[Message, ...]:
    r"""The turns of a transcript that ends in `\n\nAssistant:`.

    Raises:
        RowProblem: there is no turn of the human in it.
        Dropped: the turn before the answer is the assistant's own.
    """
    if not transcript.startswith("\n\n"):
        transcript = "\n\n" + transcript.lstrip("\n")
    head, *parts = _TURN.split(transcript.removesuffix(ASSISTANT))
    if not parts:
        raise RowProblem(column, r"a transcript that begins with '\n\nHuman:'", quoted(transcript))
    messages = [Message("system", head.strip("\n"))] if head.strip() else []
    for speaker, said in zip(parts[::2], parts[1::2], strict=True):
        said = said[1:] if said[:1] == " " else said  # as `spoken` has it
        messages.append(Message("user" if speaker == "Human" else "assistant", said))
    if messages[-1].role != "user":
        raise Dropped("the turn before the answer is the assistant's own")
    return tuple(messages)


def chatml(text: str) -> tuple[Message, ...] | None:
    """The turns of text that is ChatML from its first character to its last, an opened answer aside; else None."""
    if not (text.startswith("<") or text[:1].isspace()):  # nearly all text, at once
        return None
    text = text.lstrip()
    if not text.startswith(_CHATML_START):
        return None
    made: list[Message] = []
    position = 0
    for found in _CHATML.finditer(text):
        role = ROLES.get(found[1].lower())
        if text[position : found.start()].strip() or role is None:
            return None
        made.append(Message(role, found[2]))
        position = found.end()
    if not made or text[position:].strip():
        return None
    if made[-1].role == "assistant" and not made[-1].content.strip():
        made.pop()
    return tuple(made) or None


def rendered_prompt(text: str, column: str) -> tuple[Message, ...] | None:
    """The turns of a prompt of text that is a whole conversation, as a transcript or as ChatML; else None."""
    if text[-1:].isspace() or text[-1:] == ":":
        ended = text.rstrip()
        if ended.endswith(_ASSISTANT) and is_transcript(text):
            return conversation(ended, column)
    return chatml(text)


def rendered_answer(text: str, prompt: str) -> str:
    """An answer to a prompt that is a conversation as text: alone, where it repeats that, and without its marks."""
    if text.startswith(prompt):
        text = text[len(prompt) :]
    elif text.startswith(prompt.rstrip()):
        text = text[len(prompt.rstrip()) :]
    if prompt.lstrip().startswith(_CHATML_START):
        return text.rstrip().removesuffix(_CHATML_END) if text.rstrip().endswith(_CHATML_END) else text
    return text if prompt.endswith(" ") and not text.startswith(" ") else spoken(text)
