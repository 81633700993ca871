"""The forms of LLaMA-Factory: Alpaca (`instruction`, `input`) and ShareGPT (`conversations`).

Knows those two families, for pairs and for demonstrations.
"""

from __future__ import annotations

from tiebreak.data.preference import Message, Preference
from tiebreak.data.problems import RowProblem, shown
from tiebreak.data.schemas.fields import Values, ending, identity, opening, optional_text, required, score, text, weight
from tiebreak.data.schemas.messages import split_ending
from tiebreak.data.schemas.turns import asked, is_turn, is_turns, turns, unpacked


def matches_alpaca(values: Values) -> bool:
    """An instruction and two endings of text."""
    return all(isinstance(values.get(name), str) for name in ("instruction", "chosen", "rejected"))


def alpaca_prompt(values: Values) -> tuple[Message, ...]:
    """`system`, `history`, and `instruction` with `input` below it."""
    parts = (text(values, "instruction").strip(), optional_text(values, "input").strip())
    asked_last = opening(optional_text(values, "system"), "\n".join(part for part in parts if part), "instruction")
    return (*asked_last[:-1], *_history(values), asked_last[-1])


def _history(values: Values) -> tuple[Message, ...]:
    history = unpacked(values.get("history"))
    if history is None:
        return ()
    expected = "a list of [question, answer]"
    if not isinstance(history, list):
        raise RowProblem("history", expected, shown(history))
    messages: list[Message] = []
    for exchange in history:
        if (
            not isinstance(exchange, list | tuple)
            or len(exchange) != 2
            or not all(isinstance(e, str) for e in exchange)
        ):
            raise RowProblem("history", expected, shown(exchange))
        messages += [Message("user", exchange[0].strip()), Message("assistant", exchange[1].strip())]
    return tuple(messages)


def convert_alpaca(values: Values) -> list[Preference]:
    """`instruction`, `input`, `chosen`, `rejected`, with `system` and `history` if there are any."""
    return [_preference(values, alpaca_prompt(values), ending(values, "chosen"), ending(values, "rejected"))]


def matches_sharegpt(values: Values) -> bool:
    """Conversations, and two endings of one message each."""
    return is_turns(values.get("conversations")) and all(
        is_turn(unpacked(values.get(name))) or is_turns(values.get(name)) or isinstance(values.get(name), str)
        for name in ("chosen", "rejected")
    )


def sharegpt_turns(values: Values) -> tuple[Message, ...]:
    """The turns of `conversations`, after `system` if there is one."""
    spoken = turns(required(values, "conversations", "a list of messages"), "conversations")
    system = optional_text(values, "system").strip()
    return (Message("system", system), *spoken) if system and spoken[0].role != "system" else spoken


def convert_sharegpt(values: Values) -> list[Preference]:
    """`conversations` of `from` and `value`, with `chosen` and `rejected` as messages or text."""
    prompt = asked(sharegpt_turns(values), "conversations")
    return [_preference(values, prompt, _answer(values, "chosen"), _answer(values, "rejected"))]


def _answer(values: Values, column: str) -> str:
    value = unpacked(required(values, column, "a message"))
    return ending(values, column) if isinstance(value, str) else split_ending(value, column)[1]


def _preference(values: Values, prompt: tuple[Message, ...], chosen: str, rejected: str) -> Preference:
    return Preference(
        prompt=prompt,
        chosen=chosen,
        rejected=rejected,
        id=identity(values),
        weight=weight(values),
        chosen_score=score(values, "score_chosen"),
        rejected_score=score(values, "score_rejected"),
    )
