"""From roles to single completions: demonstrations to imitate, and completions that are called good or bad.

A conversation of several answers makes a demonstration of each, since each was meant to be imitated; the ids end in
`#2` for the answer that is the third message. A label is about the last answer of a row alone: those before it are part
of the prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tiebreak.data.forms import conversation as talk
from tiebreak.data.forms.completions import Answer, read_answer
from tiebreak.data.forms.fields import Dropped, RowProblem
from tiebreak.data.forms.labels import label_of
from tiebreak.data.forms.parts import Rows, text_and_turns
from tiebreak.data.forms.prompts import preceded, read_prompt
from tiebreak.data.forms.roles import Columns
from tiebreak.data.preference import Demonstration, Message, UnpairedCompletion
from tiebreak.data.reading.rows import Values


def demonstrations_of(columns: Columns, kinds: Mapping[str, str]) -> Callable[[Values], list[Demonstration]]:
    """The converter of roles that make demonstrations."""
    rows = Rows(columns, kinds)
    if "conversation" in columns.roles:
        return lambda values: _each_answer(rows, values)
    return lambda values: [_completion(rows, values)]


def _completion(rows: Rows, values: Values) -> Demonstration:
    there = rows.check(values)
    asked = read_prompt(values, rows.columns)
    empty = "weight" in values and isinstance(values.get("prompt"), list)
    found = rows.value(values, "completion")
    answer = read_answer(found, rows.columns.roles["completion"].text, asked, may_be_empty=empty)
    prompt, (rest,) = rows.divided(values, asked, [answer], there)
    return _demonstration(prompt, rest, rows.identity(values, there), rows, values, there)


def _demonstration(
    prompt: tuple[Message, ...], answer: Answer, name: str | None, rows: Rows, values: Values, there: frozenset[str]
) -> Demonstration:
    text, turns = text_and_turns(answer)
    tools, tags = rows.tools(values, there), rows.tags(values, there)
    return Demonstration(prompt, text, name, rows.weight(values, there), tools, turns, *tags)


def _spoken(rows: Rows, values: Values, there: frozenset[str]) -> tuple[Message, ...]:
    column = rows.columns.roles["conversation"].text
    return preceded(talk.turns(rows.value(values, "conversation"), column), values, rows.columns, there)


def _each_answer(rows: Rows, values: Values) -> list[Demonstration]:
    there = rows.check(values)
    spoken, column = _spoken(rows, values, there), rows.columns.roles["conversation"].text
    answers = [
        index
        for index, message in enumerate(spoken)
        if message.role == "assistant" and index and spoken[index - 1].role == "user"
    ]
    if not answers:
        raise Dropped("no answer of the assistant to a turn of the user")
    name = rows.identity(values, there)
    made = []
    for index in answers:
        turns = _with_tools(spoken[index:])
        if not turns[-1].content.strip() and turns[-1].tool_calls is None:
            raise RowProblem(column, f"an answer as message {index + 1}", "nothing")
        own = name if len(answers) == 1 else f"{name or ''}#{index}"
        made.append(_demonstration(spoken[:index], turns, own, rows, values, there))
    return made


def _with_tools(spoken: tuple[Message, ...]) -> tuple[Message, ...]:
    """An answer with the calls of tools in it, their results, and what is said after them."""
    end = 1
    for index, turn in enumerate(spoken[1:], 1):
        if turn.role == "assistant" and spoken[index - 1].role == "tool":
            end = index + 1
        elif turn.role != "tool":
            break
    return spoken[:end]


def _called(made: Demonstration, *, good: bool) -> UnpairedCompletion:
    """A completion as one that is called good or bad."""
    beside = (made.id, made.weight, made.tools, made.completion_turns, made.source, made.category)
    return UnpairedCompletion(made.prompt, made.completion, good, *beside)


def unpaired_of(columns: Columns, kinds: Mapping[str, str]) -> Callable[[Values], list[UnpairedCompletion]]:
    """The converter of roles that make completions with a label."""
    rows = Rows(columns, kinds)

    def convert(values: Values) -> list[UnpairedCompletion]:
        label = label_of(values, columns)  # first: without it the rest does not matter
        if "conversation" in columns.roles:
            there = rows.check(values)
            column = columns.roles["conversation"].text
            *before, last = _spoken(rows, values, there)
            answer = talk.answered((last,), column)
            prompt = talk.asked(tuple(before), column)
            made = _demonstration(prompt, answer, rows.identity(values, there), rows, values, there)
        else:
            made = _completion(rows, values)
        return [_called(made, good=label)]

    return convert
