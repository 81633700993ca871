"""One answer and whether it is good: the unpaired rows of TRL, and conversations with a tag as LLaMA-Factory has them.

Knows the columns and the words that public data uses for such labels. A label is about the last answer of a row alone;
the answers before it are part of the prompt.
"""

from __future__ import annotations

from collections.abc import Callable

from tiebreak.data.preference import Demonstration, LabelledCompletion, Message
from tiebreak.data.problems import LeftOut, RowProblem, shown
from tiebreak.data.schemas import canonical, demonstrations
from tiebreak.data.schemas.fields import Values, identity, not_empty, required, weight
from tiebreak.data.schemas.instructions import sharegpt_turns
from tiebreak.data.schemas.turns import asked, turns

_COLUMNS = ("label", "kto_tag", "desirable", "is_desirable")
_GOOD = {"true", "t", "yes", "y", "1", "+1", "good", "desirable", "chosen", "accepted", "positive", "up", "👍"}
_GOOD |= {"like", "liked", "thumbs_up"}
_BAD = {"false", "f", "no", "n", "0", "-1", "bad", "undesirable", "rejected", "negative", "down", "👎"}
_BAD |= {"dislike", "disliked", "thumbs_down"}
_NOT_SAID = {"", "none", "null", "nan", "na", "n/a", "neutral", "unknown", "unsure"}
_EXPECTED = "true or false (1 and 0, good and bad, desirable and undesirable do as well)"


def label_column(values: Values) -> str | None:
    """The column that holds the label: the first with a value, else the first there is."""
    there = [column for column in _COLUMNS if column in values]
    return next((column for column in there if values[column] is not None), there[0] if there else None)


def label_of(values: Values) -> bool:
    """Whether the row's answer is good.

    Raises:
        LeftOut: nobody said so.
        RowProblem: the value is no label.
    """
    column = label_column(values)
    value = None if column is None else values[column]
    if value is None or column is None:
        raise LeftOut("no label")
    if isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int | float | str):
        word = str(value).strip().lower().replace(" ", "_").replace("-up", "_up").replace("-down", "_down")
        word = word.removesuffix(".0")  # CSV has numbers as text
        if word in _GOOD or word in _BAD:
            return word in _GOOD
        if word in _NOT_SAID:
            raise LeftOut("no label")
    raise RowProblem(column, _EXPECTED, shown(value))


def says(values: Values) -> bool:
    """Whether the row has a column of labels, and in it a label or nothing at all."""
    if label_column(values) is None:
        return False
    try:
        label_of(values)
    except LeftOut:
        return True
    except RowProblem:
        return False
    return True


def with_label(matches: Callable[[Values], bool]) -> Callable[[Values], bool]:
    """Rows of a form, where they have a column of labels."""
    return lambda values: label_column(values) is not None and matches(values)


def convert_canonical(values: Values) -> list[LabelledCompletion]:
    """As `LabelledCompletion.to_row` writes it."""
    return _labelled(values, canonical.convert_demonstration)


def convert_completion(values: Values) -> list[LabelledCompletion]:
    """`prompt`, `completion` (or `response`), each as text or as messages, and `label` (TRL)."""
    return _labelled(values, demonstrations.convert_prompt_completion)


def convert_instruction(values: Values) -> list[LabelledCompletion]:
    """`instruction`, `input`, `output`, and `label` (LLaMA-Factory)."""
    return _labelled(values, demonstrations.convert_instruction)


def convert_messages(values: Values) -> list[LabelledCompletion]:
    """`messages` that end with the answer, and `label` (LLaMA-Factory)."""
    label = label_of(values)
    return [_last_answer(values, turns(required(values, "messages", "a list of messages"), "messages"), label)]


def convert_conversations(values: Values) -> list[LabelledCompletion]:
    """`conversations` of `from` and `value` that end with the answer, and `label` (LLaMA-Factory)."""
    label = label_of(values)
    return [_last_answer(values, sharegpt_turns(values), label, "conversations")]


def _labelled(values: Values, convert: Callable[[Values], list[Demonstration]]) -> list[LabelledCompletion]:
    label = label_of(values)  # first: without it the rest does not matter
    return [LabelledCompletion(each.prompt, each.completion, label, each.id, each.weight) for each in convert(values)]


def _last_answer(
    values: Values, spoken: tuple[Message, ...], label: bool, column: str = "messages"
) -> LabelledCompletion:
    *before, last = spoken
    if last.role != "assistant":
        raise RowProblem(column, "a last turn of the assistant", f"a last turn of the {last.role}")
    answer = not_empty(last.content, column)
    return LabelledCompletion(asked(tuple(before), column), answer, label, identity(values), weight(values))
