"""Rows for supervised training: a conversation and one ending to imitate.

Knows the public forms of such rows. A conversation of several answers makes one demonstration of each of them, since
each was meant to be imitated; the ids end in `#2` for the answer that is the third message.
"""

from __future__ import annotations

from tiebreak.data.preference import Demonstration, Message
from tiebreak.data.problems import LeftOut, RowProblem
from tiebreak.data.schemas.fields import Values, ending, identity, opening, optional_text, required, text, weight
from tiebreak.data.schemas.instructions import alpaca_prompt, sharegpt_turns
from tiebreak.data.schemas.messages import split_ending
from tiebreak.data.schemas.transcript import ASSISTANT, conversation, is_transcript
from tiebreak.data.schemas.turns import asked, is_turn, is_turns, turns, unpacked

_COMPLETIONS = ("completion", "response", "answer", "output")


def matches_messages(values: Values) -> bool:
    """A conversation under `messages`."""
    return is_turns(values.get("messages"))


def convert_messages(values: Values) -> list[Demonstration]:
    """`messages` with at least one answer of the assistant."""
    return _each_answer(values, turns(required(values, "messages", "a list of messages"), "messages"), "messages")


def matches_conversations(values: Values) -> bool:
    """A conversation under `conversations`."""
    return is_turns(values.get("conversations"))


def convert_conversations(values: Values) -> list[Demonstration]:
    """`conversations` of `from` and `value`, with `system` if there is one."""
    return _each_answer(values, sharegpt_turns(values), "conversations")


def matches_prompt_completion(values: Values) -> bool:
    """A prompt and a completion, as text or messages."""
    return isinstance(values.get("prompt"), str | list) and _completion_column(values) is not None


def _completion_column(values: Values) -> str | None:
    return next((name for name in _COMPLETIONS if values.get(name) is not None), None)


def convert_prompt_completion(values: Values) -> list[Demonstration]:
    """`prompt` and `completion` (or `response`), each as text or as messages."""
    prompt = required(values, "prompt", "text or a list of messages")
    column = _completion_column(values) or "completion"
    answer = unpacked(required(values, column, "text or a list of messages"))
    before: tuple[Message, ...] = ()
    if isinstance(answer, str):
        completion = ending(values, column)
    else:
        before, completion = split_ending(answer, column)
    if is_turns(prompt) or is_turn(prompt):
        asked_before = turns(prompt, "prompt")
    elif is_transcript(prompt) and prompt.rstrip().endswith(ASSISTANT.strip()):
        asked_before = conversation(prompt.rstrip(), "prompt")
    else:
        asked_before = opening(optional_text(values, "system"), text(values, "prompt"), "prompt")
    return [Demonstration(asked((*asked_before, *before), "prompt"), completion, identity(values), weight(values))]


def matches_instruction(values: Values) -> bool:
    """An instruction and an output."""
    return isinstance(values.get("instruction"), str) and isinstance(values.get("output"), str)


def convert_instruction(values: Values) -> list[Demonstration]:
    """`instruction`, `input` and `output`, with `system` and `history` if there are any."""
    return [Demonstration(alpaca_prompt(values), ending(values, "output"), identity(values), weight(values))]


def _each_answer(values: Values, spoken: tuple[Message, ...], column: str) -> list[Demonstration]:
    places = [
        place
        for place, message in enumerate(spoken)
        if message.role == "assistant" and place and spoken[place - 1].role == "user"
    ]
    if not places:
        raise LeftOut("no answer of the assistant to a turn of the user")
    name, share = identity(values), weight(values)
    made = []
    for place in places:
        if not spoken[place].content:
            raise RowProblem(column, f"an answer as message {place + 1}", "nothing")
        own = name if len(places) == 1 else f"{name or ''}#{place}"
        made.append(Demonstration(spoken[:place], spoken[place].content, own, share))
    return made
