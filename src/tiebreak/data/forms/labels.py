"""Whether a completion is good, in the words that public data use for it.

Knows labels and nothing else; a label is about the last answer of a row alone.
"""

from __future__ import annotations

from tiebreak.data.forms.fields import Dropped, RowProblem
from tiebreak.data.forms.roles import Columns
from tiebreak.data.reading.rows import Values, shown

LABELS = "label|kto_tag|desirable|is_desirable"
_NAMES = tuple(LABELS.split("|"))
_GOOD = {"true", "t", "yes", "y", "1", "+1", "good", "desirable", "chosen", "accepted", "positive", "up", "👍"}
_GOOD |= {"like", "liked", "thumbs_up"}
_BAD = {"false", "f", "no", "n", "0", "-1", "bad", "undesirable", "rejected", "negative", "down", "👎"}
_BAD |= {"dislike", "disliked", "thumbs_down"}
_NOT_SAID = {"", "none", "null", "nan", "na", "n/a", "neutral", "unknown", "unsure"}
_EXPECTED = "true or false (1 and 0, good and bad, desirable and undesirable do as well)"


def label_of(values: Values, columns: Columns) -> bool:
    """Whether the row's answer is good.

    Raises:
        Dropped: nobody said so.
        RowProblem: the value is no label.
    """
    expression = columns.roles["label"]
    value = expression.get(values)
    if value is not None:
        for name, good in (("good", True), ("bad", False)):
            if any(test.holds(value) for test in columns.tests.get(name, ())):
                return good
        if columns.tests.get("good") and columns.tests.get("bad"):
            told = ", ".join(test.text for name in ("good", "bad") for test in columns.tests[name])
            raise RowProblem(expression.text, f"one of {told}", shown(value))
    return _said(value, expression.text)


def _said(value: object, column: str) -> bool:
    if value is None:
        raise Dropped("no label")
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
            raise Dropped("no label")
    raise RowProblem(column, _EXPECTED, shown(value))


def label_column(values: Values) -> str | None:
    """The column that holds the label: the first with a value, else the first there is."""
    there = [column for column in _NAMES if column in values]
    return next((column for column in there if values[column] is not None), there[0] if there else None)


def has_label(values: Values) -> bool:
    """Whether the row has a column of labels that holds a label, or nothing at all."""
    column = label_column(values)
    if column is None:
        return False
    try:
        _said(values[column], column)
    except Dropped:
        return True
    except RowProblem:
        return False
    return True
