"""Endings as message lists: alone, after a repeated prompt, or with the prompt inside them.

Knows the forms of UltraFeedback and of TRL; knows nothing of other families.
"""

from __future__ import annotations

from tiebreak.data.preference import Message, Preference
from tiebreak.data.problems import LeftOut, RowProblem
from tiebreak.data.schemas.fields import Values, identity, not_empty, opening, optional_text, required, score, weight
from tiebreak.data.schemas.turns import asked, is_turn, is_turns, turns

_ENDINGS = ("chosen", "rejected")


def _has_turns(values: Values) -> bool:
    return all(is_turns(values.get(column)) or is_turn(values.get(column)) for column in _ENDINGS)


def matches_text_prompt(values: Values) -> bool:
    """A prompt of text, endings of messages."""
    return isinstance(values.get("prompt"), str) and not is_turns(values["prompt"]) and _has_turns(values)


def matches_lists(values: Values) -> bool:
    """All three columns hold messages."""
    return is_turns(values.get("prompt")) and _has_turns(values)


def matches_implicit(values: Values) -> bool:
    """Endings of messages and no prompt."""
    return values.get("prompt") is None and _has_turns(values)


def convert_text_prompt(values: Values) -> list[Preference]:
    """`prompt` as text; the endings may repeat it as their first turns (UltraFeedback)."""
    prompt = opening(optional_text(values, "system"), str(required(values, "prompt", "text")), "prompt")
    return [_preference(values, prompt, "prompt")]


def convert_lists(values: Values) -> list[Preference]:
    """`prompt`, `chosen` and `rejected` as messages; the endings may repeat the prompt."""
    return [_preference(values, turns(required(values, "prompt", "a list of messages"), "prompt"), "prompt")]


def convert_implicit(values: Values) -> list[Preference]:
    """`chosen` and `rejected` as whole conversations that share all but their last turn (TRL's implicit prompt)."""
    return [_preference(values, (), "chosen")]


def split_ending(value: object, column: str) -> tuple[tuple[Message, ...], str]:
    """The turns before the last and the text of the last, which is the assistant's.

    Raises:
        RowProblem: the last turn is not the assistant's, or is empty.
    """
    *before, last = turns(value, column)
    if last.role != "assistant":
        raise RowProblem(column, "a last turn of the assistant", f"a last turn of the {last.role}")
    return tuple(before), not_empty(last.content, column)


def _preference(values: Values, prompt: tuple[Message, ...], prompt_column: str) -> Preference:
    before_chosen, chosen = split_ending(required(values, "chosen", "a list of messages"), "chosen")
    before_rejected, rejected = split_ending(required(values, "rejected", "a list of messages"), "rejected")
    if before_chosen != before_rejected:
        raise LeftOut("the conversations differ before the last answer")
    return Preference(
        prompt=asked(_joined(prompt, before_chosen), prompt_column),
        chosen=chosen,
        rejected=rejected,
        id=identity(values),
        weight=weight(values),
        chosen_score=score(values, "score_chosen"),
        rejected_score=score(values, "score_rejected"),
    )


def _joined(prompt: tuple[Message, ...], before: tuple[Message, ...]) -> tuple[Message, ...]:
    """The prompt, and the turns that the endings have before their last one unless they repeat it."""
    if not before:
        return prompt
    asked_already = tuple(message for message in prompt if message.role != "system")
    spoken = tuple(message for message in before if message.role != "system")
    if spoken[: len(asked_already)] == asked_already:
        system = () if before[0].role == "system" else tuple(each for each in prompt if each.role == "system")
        return (*system, *before)
    # Some rows shorten or edit the prompt column; a context that begins with the user is the conversation itself.
    return before if before[0].role != "assistant" else (*prompt, *before)
