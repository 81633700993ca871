"""What answers a prompt: one value of a row as the turns before a completion and its text.

Knows every way in which a completion is written; knows nothing of roles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tiebreak.data.forms import conversation as talk
from tiebreak.data.forms.fields import Dropped, RowProblem, not_empty
from tiebreak.data.forms.paths import unpacked
from tiebreak.data.forms.prompts import SEVERAL, Asked, text_inside
from tiebreak.data.preference import Message
from tiebreak.data.reading.rows import shown

_MARKED = "[{\nH<"
Answer = str | tuple[Message, ...]
"""A completion as it was read: the text of a plain one, or the turns that its column has, the last the assistant's."""

DIFFER = "the conversations differ before the last answer"
TRANSCRIPTS_DIFFER = "the transcripts differ before the last answer"


def read_answer(value: Any, column: str, prompt: Asked, *, may_be_empty: bool = False) -> Answer:
    """A completion.

    Args:
        value: text, a message, messages, parts of text, a list of one text, or an object with a text in it.
        column: where it stands.
        prompt: what it answers; an answer to a prompt of rendered text may repeat that.
        may_be_empty: whether saying nothing is an answer.
    Raises:
        RowProblem: it is no answer.
        Dropped: it is a sound one that cannot be used.
    """
    if isinstance(value, str):
        return _of_text(value, column, prompt, may_be_empty)
    if talk.is_turn(value):
        return talk.answered(talk.turns([value], column), column)
    if isinstance(value, list) and value:
        if talk.is_turn(value[0]):
            return talk.answered(talk.turns(value, column), column)
        if talk.is_parts(value):
            return not_empty(talk.joined_parts(value, column, 0), column)
        if all(isinstance(each, str) for each in value):
            if len(value) > 1:
                raise Dropped(SEVERAL)
            return not_empty(value[0], column)
    if isinstance(value, Mapping):
        said = text_inside(value)
        if said is not None:
            return not_empty(said, column)
    raise RowProblem(column, "text or messages", shown(value))


def _of_text(value: str, column: str, prompt: Asked, may_be_empty: bool) -> Answer:
    if prompt.rendered is not None:
        return _said(talk.rendered_answer(value, prompt.rendered), column, may_be_empty)
    if value[:1] not in _MARKED:  # nearly all text, at once
        return _said(value, column, may_be_empty)
    if value.startswith(("[", "{")):
        opened = unpacked(value)
        if talk.is_turns(opened) or talk.is_turn(opened) or (prompt.packed and isinstance(opened, list)):
            return read_answer(opened, column, prompt)
    elif value.startswith(("\n\nHuman:", "Human:")) and talk.is_transcript(value):
        at = talk.last_answer(value, column)
        return (*talk.conversation(value[:at], column), Message("assistant", talk.spoken(value[at:])))
    elif value.startswith("<|im_start|>"):
        turns = talk.chatml(value)
        if turns is not None and turns[-1].role == "assistant":
            return talk.answered(turns, column)
    return _said(value, column, may_be_empty)


def _said(text: str, column: str, may_be_empty: bool) -> str:
    return text if may_be_empty else not_empty(text, column)


def divided(prompt: tuple[Message, ...], answers: Sequence[Answer]) -> tuple[tuple[Message, ...], list[Answer]]:
    """The whole prompt, and what each completion says after it.

    Columns of completions may hold the conversation before them; one that has only its answer takes the others'. What
    begins with the assistant follows the prompt: the turns that all have in common belong to the prompt, the rest of
    each is its completion, of several turns where they part early.

    Raises:
        Dropped: the completions answer different conversations.
    """
    for answer in answers:
        if not isinstance(answer, str):
            break
    else:
        return prompt, list(answers)
    spoken = [(Message("assistant", each),) if isinstance(each, str) else each for each in answers]
    whole = [turns for turns in spoken if turns[0].role != "assistant"]
    if whole:
        context = _context(prompt, whole)
        before = len(context)
        same = all(turns[:before] == context or _bare(turns[:before]) == _bare(context) for turns in whole)
        if not same:
            raise Dropped(DIFFER)
        prompt = joined(prompt, context)
        spoken = [turns[before:] if turns[0].role != "assistant" else turns for turns in spoken]
    if all(len(turns) == 1 for turns in spoken):
        return prompt, [_plain(turns) for turns in spoken]
    common = _in_common(spoken)
    return (*prompt, *spoken[0][:common]), [_plain(turns[common:]) for turns in spoken]


def _context(prompt: tuple[Message, ...], whole: Sequence[tuple[Message, ...]]) -> tuple[Message, ...]:
    """The turns before the completions of whole conversations: all but the last, or those that the prompt has too."""
    first = whole[0][:-1]
    if all(len(turns) == len(whole[0]) for turns in whole) and all(
        turns[:-1] == first or _bare(turns[:-1]) == _bare(first) for turns in whole[1:]
    ):
        return first
    asked = [turn for turn in _bare(prompt) if turn[0] != "system"]
    skipped = 1 if whole[0][0].role == "system" else 0
    count = skipped + len(asked)
    if asked and _bare(whole[0][skipped:count]) == asked and len(whole[0]) > count:
        return whole[0][:count]
    return first


def _plain(turns: tuple[Message, ...]) -> Answer:
    return turns[0].content if len(turns) == 1 and turns[0].is_plain else turns


def _in_common(spoken: Sequence[tuple[Message, ...]]) -> int:
    """How many turns all have alike, so that each has an answer of the assistant after them."""
    count = 0
    for turns in zip(*(each[:-1] for each in spoken), strict=False):
        if any(turn != turns[0] for turn in turns):
            break
        count += 1
    while count and any(each[count].role != "assistant" for each in spoken):
        count -= 1
    return count


def _bare(turns: tuple[Message, ...]) -> list[tuple[str, str]]:
    """Turns for comparing: data that repeat a text often lose white space at its ends."""
    return [(turn.role, turn.content.strip()) for turn in turns]


def joined(prompt: tuple[Message, ...], before: tuple[Message, ...]) -> tuple[Message, ...]:
    """The prompt, and the turns that the completions have before their last one unless they repeat it."""
    if not before or not prompt:
        return prompt or before
    if before == prompt:
        return before
    asked_already = [turn for turn in _bare(prompt) if turn[0] != "system"]
    spoken = [turn for turn in _bare(before) if turn[0] != "system"]
    if spoken[: len(asked_already)] == asked_already:
        system = () if before[0].role == "system" else tuple(each for each in prompt if each.role == "system")
        return (*system, *before)
    # Some rows shorten or edit the prompt column; a context that begins with the user is the conversation itself.
    return before if before[0].role != "assistant" else (*prompt, *before)
