r"""Transcripts of `\n\nHuman: …` and `\n\nAssistant: …` turns, as Anthropic/hh-rlhf has them.

Knows that one text format. The prompt is the chosen transcript up to its last answer, the rule of the authors of DPO;
a rejected transcript that does not begin with it took another way earlier, and its row is left out.
An answer of a transcript may be empty: a turn that was given and says nothing is a choice that people made
(four times in the harmless test split), not a missing value.
"""

from __future__ import annotations

import re
from typing import Any

from tiebreak.data.preference import Message, Preference
from tiebreak.data.problems import LeftOut, RowProblem, quoted, shown
from tiebreak.data.schemas.fields import Values, identity, not_empty, score, text, weight

HUMAN = "\n\nHuman:"
ASSISTANT = "\n\nAssistant:"
_TURN = re.compile(r"\n\n(Human|Assistant):")


def matches(values: Values) -> bool:
    """Both endings are whole transcripts."""
    return values.get("prompt") is None and all(is_transcript(values.get(column)) for column in ("chosen", "rejected"))


def is_transcript(value: Any) -> bool:
    """Text with a turn of the human and a turn of the assistant."""
    return isinstance(value, str) and ASSISTANT in value and (HUMAN in value or value.startswith(HUMAN.strip()))


def convert(values: Values) -> list[Preference]:
    """Split both transcripts at the last answer of the chosen one."""
    chosen, rejected = text(values, "chosen"), text(values, "rejected")
    cut = _last_answer(chosen, "chosen")
    _last_answer(rejected, "rejected")
    if not rejected.startswith(chosen[:cut]):
        raise LeftOut("the transcripts differ before the last answer")
    return [
        Preference(
            prompt=conversation(chosen[:cut], "chosen"),
            chosen=chosen[cut:].strip(),
            rejected=rejected[cut:].strip(),
            id=identity(values),
            weight=weight(values),
        )
    ]


def _last_answer(transcript: str, column: str) -> int:
    place = transcript.rfind(ASSISTANT)
    if place < 0:
        raise RowProblem(column, r"a transcript with a '\n\nAssistant:' turn", shown(transcript))
    return place + len(ASSISTANT)


def conversation(transcript: str, column: str) -> tuple[Message, ...]:
    r"""The turns of a transcript that ends in `\n\nAssistant:`.

    Raises:
        RowProblem: there is no turn of the human in it.
        LeftOut: the turn before the answer is the assistant's own.
    """
    if not transcript.startswith("\n\n"):
        transcript = "\n\n" + transcript.lstrip("\n")
    head, *parts = _TURN.split(transcript.removesuffix(ASSISTANT))
    if not parts:
        raise RowProblem(column, r"a transcript that begins with '\n\nHuman:'", quoted(transcript))
    messages = [Message("system", head.strip())] if head.strip() else []
    for speaker, said in zip(parts[::2], parts[1::2], strict=True):
        messages.append(Message("user" if speaker == "Human" else "assistant", said.strip()))
    if messages[-1].role != "user":
        raise LeftOut("the turn before the answer is the assistant's own")
    return tuple(messages)


def matches_text(values: Values) -> bool:
    """All three columns are text."""
    return all(isinstance(values.get(column), str) for column in ("prompt", "chosen", "rejected"))


def matches_system(values: Values) -> bool:
    """Text as in `matches_text`, with a system message of text (jondurbin/truthy-dpo-v0.1)."""
    return isinstance(values.get("system"), str) and matches_text(values)


def convert_text(values: Values) -> list[Preference]:
    """`prompt`, `chosen`, `rejected` as text; a prompt that is a transcript is read as one (Dahoas/full-hh-rlhf)."""
    prompt = text(values, "prompt")
    chosen, rejected = text(values, "chosen"), text(values, "rejected")
    if prompt.rstrip().endswith(ASSISTANT.strip()) and is_transcript(prompt):
        turns = conversation(prompt.rstrip(), "prompt")
        endings = [_without(answer, prompt).strip() for answer in (chosen, rejected)]
    else:
        if not prompt.strip():
            raise RowProblem("prompt", "a prompt", shown(prompt))
        system = values.get("system")
        if system is not None and not isinstance(system, str):
            raise RowProblem("system", "text", shown(system))
        said = (Message("system", system.strip()),) if system and system.strip() else ()
        turns = (*said, Message("user", prompt.strip()))
        endings = [not_empty(chosen, "chosen"), not_empty(rejected, "rejected")]
    return [
        Preference(
            prompt=turns,
            chosen=endings[0],
            rejected=endings[1],
            id=identity(values),
            weight=weight(values),
            chosen_score=score(values, "score_chosen"),
            rejected_score=score(values, "score_rejected"),
        )
    ]


def _without(answer: str, prompt: str) -> str:
    """The answer alone, where a column repeats the transcript before it."""
    return answer[len(prompt) :] if answer.startswith(prompt) else answer
