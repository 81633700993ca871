"""Which of two answers is better, from what a column says of it: words, numbers, or a majority of several.

Words mean the same everywhere and are read. Numbers do not: public data use 0, 1 and -1 in opposite ways, so a number
is read where the form fixes it, where it is the number in the names of the answers, or where the rows' own scores
confirm it; else it is refused with both readings. Knows values and names of columns, nothing of rows or files.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tiebreak.data.forms.fields import Dropped, RowProblem, number
from tiebreak.data.forms.paths import unpacked
from tiebreak.data.forms.roles import Columns, Test, as_number
from tiebreak.data.reading.rows import Values, shown

TIE = "a tie"
# Words as `_plain` gives them.
_TIES = {"tie", "tied", "both", "neither", "equal", "draw", "same", "none", "c", "both bad", "bothbad", "both good"}
_TIES |= {"tie bothbad", "tie both bad", "equally good", "equally bad", "all bad", "no preference", "no winner"}
_TIES |= {"undecided", "about the same"}
_SIDES = ({"a", "model a", "first", "left"}, {"b", "model b", "second", "right"})
_NOUN = re.compile(r"(?:model|assistant|response|answer|output|completion|option|candidate|text|reply|summary) ?(\w)")
QUESTIONS = ("preference", "preferred", "choice", "better", "best", "winner", "label", "ranking", "rank")
"""What annotators are asked for, of two answers."""
_GIVEN_UP = {"discarded", "draft", "pending"}
# Columns that hold the number of an answer, and no grade of the first.
_INDEX = re.compile(r"(_id|_idx|_index|index)$|^(choice|preference|preferred|winner|better|best)$")
_AGREE = 0.9
Meaning = int | None
"""0 is the first answer, 1 the second, None a tie."""


@dataclass(frozen=True)
class Numbers:
    """What numbers mean in a source.

    Attributes:
        meaning: of each.
        why: how that was seen.
        graded: whether numbers between 1 and 2 mean the nearer of the two.
    """

    meaning: Mapping[float, Meaning]
    why: str
    graded: bool = False

    def knows(self, number: float) -> bool:
        """Whether a number means something."""
        return number in self.meaning or (self.graded and 1 < number < 2)

    def of(self, number: float) -> Meaning:
        """What a number that means something means."""
        return self.meaning[number] if number in self.meaning else int(number > 1.5)


def better(values: Values, columns: Columns, numbers: Numbers) -> int:
    """Which answer of a row is better, 0 or 1.

    Raises:
        Dropped: neither is.
        RowProblem: the choice says nothing that is known.
    """
    column = columns.roles["choice"].text
    value = _choice(values, columns)
    if value is None:
        if any(name in values for name in columns.roles["choice"].columns):
            raise Dropped("no verdict")
        raise RowProblem(column, "which answer is better", "no such column")
    said = [_meaning(each, values, columns, numbers, column) for each in _each(value)]
    if not said:
        raise Dropped("no verdict")
    votes = Counter(said)
    if votes[0] == votes[1]:
        raise Dropped(TIE)
    return 0 if votes[0] > votes[1] else 1


def better_by_scores(values: Values, columns: Columns) -> int:
    """Which answer of a row has the better score, 0 or 1.

    Raises:
        Dropped: the scores are equal.
        RowProblem: one of them is no number.
    """
    one, other = (number(columns.roles[name].get(values), columns.roles[name].text) for name in ("score_a", "score_b"))
    if one == other:
        raise Dropped(TIE)
    return int((other > one) != (columns.better == "lower"))


def _choice(values: Values, columns: Columns) -> Any:
    """What a row says of the two; of several verdicts with a list of states beside them those that were handed in."""
    expression = columns.roles["choice"]
    value = unpacked(expression.get(values))
    states = unpacked(values.get(f"{expression.text}.status"))
    if isinstance(value, list) and isinstance(states, list) and len(value) == len(states):
        return [each for each, state in zip(value, states, strict=True) if state not in _GIVEN_UP]
    return value


def _each(value: Any) -> Iterable[Any]:
    """The single verdicts in a value: of several people, or inside an object; of a ranking what is ranked first."""
    if isinstance(value, list):
        ranks = [each["rank"] for each in value if isinstance(each, Mapping) and each.get("rank") is not None]
        first = min(ranks) if ranks and all(isinstance(rank, int | float) for rank in ranks) else None
        for each in value:
            if first is None or (isinstance(each, Mapping) and each.get("rank") == first):
                yield from _each(each)
    elif isinstance(value, Mapping):
        if value.get("was_cancelled") or value.get("status") in _GIVEN_UP:
            return
        keys = ("selected", "value", "choice", "label", "result")
        inner = next((value[key] for key in keys if value.get(key) is not None), None)
        asked = value.get("values")
        if inner is None and isinstance(asked, Mapping):
            inner = next((asked[name] for name in QUESTIONS if asked.get(name) is not None), None)
        named = isinstance(inner, list) and bool(inner) and isinstance(inner[0], str)
        if inner is not None:
            yield from _each(inner[0] if named else inner)
    elif value is not None and value == value:  # NaN is what tables write for nothing
        yield value


def _meaning(value: Any, values: Values, columns: Columns, numbers: Numbers, column: str) -> Meaning:
    for name, meaning in (("tie", None), ("both_bad", None), ("first", 0), ("second", 1)):
        if _holds(columns.tests.get(name, ()), value):
            return meaning
    number = as_number(value)
    if isinstance(value, bool) or number is not None:
        if number is not None and numbers.knows(number):
            return numbers.of(number)
        raise RowProblem(column, _expected(columns), shown(value), fix=readings(columns, [number or 0.0]))
    said, word = str(value).strip(), _plain(str(value))
    noun = _NOUN.fullmatch(word)
    for index, (side, name) in enumerate((("a", "name_a"), ("b", "name_b"))):
        own = _plain(columns.roles[side].text.rpartition(".")[2])
        model = columns.roles[name].get(values) if name in columns.roles else None
        if word in _SIDES[index] or word in (own, own.rpartition(" ")[2]) or (noun and noun[1] == own[-1:]):
            return index
        if isinstance(model, str) and said.lower() == model.strip().lower() and _unlike(values, columns):
            return index
    if word in _TIES:
        return None
    two = [columns.roles[side].get(values) for side in "ab"]
    if two[0] != two[1] and value in two:  # the better answer itself
        return two.index(value)
    raise RowProblem(column, _expected(columns), shown(value), fix=None)


def _plain(text: str) -> str:
    """A word as it is compared: small letters, and blanks for whatever parts it."""
    return re.sub(r"[\W_]+", " ", text.lower()).strip()


def _unlike(values: Values, columns: Columns) -> bool:
    """Whether the two answers have different names, so that a name says which is meant."""
    return bool(columns.roles["name_a"].get(values) != columns.roles["name_b"].get(values))


def _holds(tests: Sequence[Test], value: Any) -> bool:
    return any(test.holds(value) for test in tests)


def _expected(columns: Columns) -> str:
    given = [test.text for name in ("first", "second", "tie", "both_bad") for test in columns.tests.get(name, ())]
    a, b = (columns.roles[side].text for side in "ab")
    return f"one of {', '.join(given)}" if given else f"one of a, b, {a}, {b}, or tie"


def readings(columns: Columns, seen: Sequence[float]) -> str:
    """What settles a direction: the flag, with the two readings of the numbers that are there."""
    a, b, choice = (columns.roles[role].text for role in ("a", "b", "choice"))
    asked = columns.roles["prompt"].text.replace("\n", "\\n") if "prompt" in columns.roles else ""
    prompt = f"prompt={asked}," if asked else ""
    usual = {0.0: 1.0, 1.0: 0.0, -1.0: 1.0}
    numbers = sorted({*seen, *(() if len(set(seen)) > 1 else (usual.get(each, 0.0) for each in seen))}) or [0.0, 1.0]
    one, other = (f"{numbers[index]:g}" for index in (-1, 0))
    flag = f"--columns '{prompt}a={a},b={b},choice={choice}"
    return (
        f"say which: {flag},first={one},second={other}' where {one} means {a}, "
        f"or {flag},first={other},second={one}' where {one} means {b}; tie=VALUE for ties"
    )


def settle(rows: Sequence[Values], columns: Columns) -> Numbers:
    """What the numbers of a choice mean, from the first rows of a source.

    Args:
        rows: the first rows.
        columns: with the roles a, b and choice.
    Raises:
        RowProblem: there are numbers, and nothing says what they mean.
    """
    told = columns.tests.get("first", ()) + columns.tests.get("second", ())
    seen: dict[float, Counter[int | str | None]] = {}
    for values in rows:
        for each in _each(_choice(values, columns)):
            number = as_number(each)
            if number is not None:
                seen.setdefault(number, Counter())[_by_scores(values, columns)] += 1
    if told or not seen:
        return Numbers({}, "")
    found = _from_scores(seen) or _from_names(set(seen), columns)
    if found is None:
        shown_values = ", ".join(f"{value:g}" for value in sorted(seen))
        a, b, choice = (columns.roles[role].text for role in ("a", "b", "choice"))
        raise RowProblem(
            choice,
            f"a verdict whose direction is known (public data use the numbers for '{a}' and for '{b}' alike)",
            f"the numbers {shown_values} and no scores that confirm one reading",
            fix=readings(columns, sorted(seen)),
        )
    return found


def _by_scores(values: Values, columns: Columns) -> Meaning | str:
    """Which answer the scores of a row call better; `unknown` where it has none."""
    if not {"score_a", "score_b"} <= set(columns.roles):
        return "unknown"
    scores = [as_number(columns.roles[role].get(values)) for role in ("score_a", "score_b")]
    if scores[0] is None or scores[1] is None:
        return "unknown"
    return None if scores[0] == scores[1] else int(scores[1] > scores[0])


def _from_scores(seen: Mapping[float, Counter[Any]]) -> Numbers | None:
    """The reading that the scores confirm, if nearly all of them agree on one."""
    meaning: dict[float, Meaning] = {}
    for value, counts in seen.items():
        decided = counts[0] + counts[1]
        if decided:
            side = 0 if counts[0] >= counts[1] else 1
            if counts[side] < _AGREE * decided:
                return None
            meaning[value] = side
        elif counts[None]:
            meaning[value] = None
    sides = [[value for value, side in meaning.items() if side == each] for each in (0, 1)]
    if not any(sides) or (all(sides) and min(sides[0]) < max(sides[1]) and min(sides[1]) < max(sides[0])):
        return None  # nothing is confirmed, or the numbers go to and fro
    known = sides[0] + sides[1]
    if len(known) == 1 and known[0] in (0.0, 1.0):  # of the two the other is the other one
        meaning.setdefault(1.0 - known[0], 1 - int(bool(sides[1])))
    return Numbers(meaning, "the scores of the rows confirm it")


def _from_names(seen: set[float], columns: Columns) -> Numbers | None:
    """The reading that follows from the names of the columns and from which numbers there are."""
    a, b = (re.sub(r".*?(\d+|[A-Za-z])$", r"\1", columns.roles[side].text) for side in "ab")
    choice = columns.roles["choice"].text
    index = bool(_INDEX.search(choice))
    if all(1 <= value <= 2 for value in seen) and any(value not in (1, 2) for value in seen):
        return Numbers({1.0: 0, 1.5: None, 2.0: 1}, "from 1, the first, to 2, the second", graded=True)
    if (a, b) == ("0", "1") and index and seen <= {0, 1, 0.5, -1}:
        return Numbers({0.0: 0, 1.0: 1, 0.5: None, -1.0: None}, "the numbers of the answers")
    if (a, b) == ("1", "2") and seen <= {0, 1, 2} and (2 in seen or choice.endswith("_id")):
        return Numbers({1.0: 0, 2.0: 1, 0.0: None}, "the numbers of the answers")
    if seen <= {1, 2} and 2 in seen:
        return Numbers({1.0: 0, 2.0: 1}, "1 is the first, 2 the second")
    return None
