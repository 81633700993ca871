"""From roles to pairs: chosen and rejected, two answers with a choice, or several with scores.

The converter is the same for the user's columns and for the built-in forms. Rows make no pair (`Dropped` says why),
one, or many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tiebreak.data.forms import conversation as talk
from tiebreak.data.forms import verdict
from tiebreak.data.forms.completions import TRANSCRIPTS_DIFFER, Answer, read_answer
from tiebreak.data.forms.fields import Dropped, RowProblem, number
from tiebreak.data.forms.parts import Rows, text_and_turns
from tiebreak.data.forms.paths import Expression, unpacked
from tiebreak.data.forms.prompts import missing, preceded, read_prompt
from tiebreak.data.forms.roles import Columns, as_number
from tiebreak.data.preference import Message, Preference
from tiebreak.data.reading.rows import Values, shown

Pairs = Callable[[Values], list[Preference]]
"""The pairs of a row."""


def pairs_of(columns: Columns, kinds: Mapping[str, str]) -> Pairs:
    """The converter of roles that make pairs."""
    rows = Rows(columns, kinds)
    if "answers" in columns.roles:
        return lambda values: list(_ranked(rows, values))
    if "a" in columns.roles:
        return lambda values: _labelled(rows, values)
    if kinds.get("chosen") == "transcript":
        return _transcript(rows)
    return _chosen_and_rejected(rows)


def _chosen_and_rejected(rows: Rows) -> Pairs:
    columns, roles = rows.columns, rows.columns.roles
    best, worst = rows.reader("chosen"), rows.reader("rejected")
    at_best, at_worst = roles["chosen"].text, roles["rejected"].text

    def convert(values: Values) -> list[Preference]:
        there = rows.check(values)
        asked = read_prompt(values, columns)
        # Rows with a weight were written by `to_row`: what an empty completion means was settled when they were made.
        empty = asked.rendered is not None or ("weight" in values and isinstance(values.get("prompt"), list))
        chosen = read_answer(best(values), at_best, asked, may_be_empty=empty)
        found = worst(values)
        several = _several(found)
        if several is not None:
            worse = [read_answer(each, at_worst, asked, may_be_empty=empty) for each in several]
        else:
            worse = [read_answer(found, at_worst, asked, may_be_empty=empty)]
        prompt, completions = rows.divided(values, asked, [chosen, *worse], there)
        tools, name, share = rows.tools(values, there), rows.identity(values, there), rows.weight(values, there)
        scores, tags = rows.scores(values, there), rows.tags(values, there)
        if several is None:
            return [_pair(prompt, completions[0], completions[1], name, share, scores, tools, tags)]
        return [
            _pair(prompt, completions[0], each, f"{name or ''}#{index}", share, scores, tools, tags)
            for index, each in enumerate(completions[1:])
        ]

    return convert


def _pair(
    prompt: tuple[Message, ...],
    chosen: Answer,
    rejected: Answer,
    name: str | None,
    share: float,
    scores: tuple[float | None, float | None],
    tools: str | None,
    tags: tuple[str | None, str | None],
) -> Preference:
    if isinstance(chosen, str) and isinstance(rejected, str):
        return Preference(prompt, chosen, rejected, name, share, *scores, tools, (), (), *tags)
    better, better_turns = text_and_turns(chosen)
    worse, worse_turns = text_and_turns(rejected)
    return Preference(prompt, better, worse, name, share, *scores, tools, better_turns, worse_turns, *tags)


def _several(value: Any) -> list[Any] | None:
    """The completions of a list of several; None where a value is one."""
    if isinstance(value, str):
        if not value.startswith("["):
            return None
        value = unpacked(value)
    if not isinstance(value, list) or len(value) < 2 or talk.is_turn(value[0]) or talk.is_parts(value):
        return None
    texts = all(isinstance(each, str) for each in value)
    return value if texts or all(talk.is_turns(each) for each in value) else None


def _transcript(rows: Rows) -> Pairs:
    """Split two whole transcripts at the last answer of the chosen one, the rule of the authors of DPO."""
    columns, best, worst = rows.columns, rows.reader("chosen"), rows.reader("rejected")

    def convert(values: Values) -> list[Preference]:
        there = rows.check(values)
        chosen, rejected = best(values), worst(values)
        cut = talk.last_answer(chosen, "chosen")
        talk.last_answer(rejected, "rejected")
        if not rejected.startswith(chosen[:cut]):
            raise Dropped(TRANSCRIPTS_DIFFER)
        prompt = talk.conversation(chosen[:cut], "chosen")
        better, worse = talk.spoken(chosen[cut:]), talk.spoken(rejected[cut:])
        if not there:  # as in most transcripts: there is nothing more to ask for
            return [Preference(prompt, better, worse)]
        name, share, tools = rows.identity(values, there), rows.weight(values, there), rows.tools(values, there)
        scores, tags = rows.scores(values, there), rows.tags(values, there)
        prompt = preceded(prompt, values, columns, there)
        return [_pair(prompt, better, worse, name, share, scores, tools, tags)]

    return convert


def _labelled(rows: Rows, values: Values) -> list[Preference]:
    there = rows.check(values)
    columns = rows.columns
    asked = read_prompt(values, columns)
    found = [_exchange(rows, values, rows.value(values, side)) for side in "ab"]
    scores = [
        as_number(columns.roles[name].get(values)) if name in columns.roles else None for name in ("score_a", "score_b")
    ]
    if "choice" in columns.roles:
        best = verdict.better(values, columns, rows.numbers if isinstance(rows, Settled) else _alone(values, columns))
    else:
        best = verdict.better_by_scores(values, columns)
    answers = [read_answer(each, columns.roles[side].text, asked) for each, side in zip(found, "ab", strict=True)]
    prompt, rest = rows.divided(values, asked, answers, there)
    two_scores = (scores[best], scores[1 - best]) if columns.better != "lower" else (None, None)
    name, share, tools = rows.identity(values, there), rows.weight(values, there), rows.tools(values, there)
    tags = rows.tags(values, there)
    return [_pair(prompt, rest[best], rest[1 - best], name, share, two_scores, tools, tags)]


class Settled(Rows):
    """Rows of a source in which it is known what the numbers of a choice mean."""

    def __init__(self, columns: Columns, kinds: Mapping[str, str], numbers: verdict.Numbers) -> None:
        super().__init__(columns, kinds)
        self.numbers = numbers


def settled(columns: Columns, kinds: Mapping[str, str], head: Sequence[Values]) -> tuple[Pairs, str]:
    """The converter of two answers with a choice, and how the direction was seen, from the first rows.

    Raises:
        RowProblem: nothing says what the numbers mean.
    """
    rows = Settled(columns, kinds, verdict.settle(head, columns))
    return lambda values: _labelled(rows, values), rows.numbers.why


def _alone(values: Values, columns: Columns) -> verdict.Numbers:
    return verdict.settle([values], columns)


def _exchange(rows: Rows, values: Values, value: Any) -> Any:
    """A conversation up to the exchange that was judged."""
    if "turn" not in rows.columns.roles or (count := as_number(rows.columns.roles["turn"].get(values))) is None:
        return value
    opened = unpacked(value)
    if not talk.is_turns(opened) or not isinstance(opened, list):
        return value
    ends = [index + 1 for index, turn in enumerate(opened) if talk.role_of(turn) == "assistant"]
    return opened[: ends[int(count) - 1]] if 1 <= count <= len(ends) else opened


def _ranked(rows: Rows, values: Values) -> Iterator[Preference]:
    """One pair for each two answers whose scores differ; ids such as `row-3#0>2` name the better and the worse."""
    there = rows.check(values)
    columns = rows.columns
    column = columns.roles["answers"].text
    found = _listed(columns.roles["answers"], values)
    if found is None:
        raise missing(values, columns, "answers", "a list of answers")
    asked = read_prompt(values, columns)
    scores, shows = _scores(columns, values, len(found))
    answers = [read_answer(each, column, asked) for each in found]
    prompt, rest = rows.divided(values, asked, answers, there)
    tools, tags = rows.tools(values, there), rows.tags(values, there)
    order = [
        (better, worse)
        for better in range(len(answers))
        for worse in range(len(answers))
        if scores[better] > scores[worse]
    ]
    if not order:
        raise Dropped(verdict.TIE if len(answers) > 1 else "fewer than two answers")
    name, share = rows.identity(values, there) or "", rows.weight(values, there)
    for better, worse in order:
        two = (scores[better], scores[worse]) if shows else (None, None)
        yield _pair(prompt, rest[better], rest[worse], f"{name}#{better}>{worse}", share, two, tools, tags)


def _listed(expression: Expression, values: Values) -> list[Any] | None:
    """The values of a role of several: a list in one place, or one value in each of several places."""
    if not expression.alternatives:
        found = unpacked(expression.get(values))
        return found if isinstance(found, list) else None
    each = [path.get(values) for path in expression.paths]
    lists = [found for value in each if isinstance(found := unpacked(value), list)]
    if len(lists) == 1 and sum(value is not None for value in each) == 1:
        return lists[0]
    return [value for value in each if value is not None] or None


def _scores(columns: Columns, values: Values, count: int) -> tuple[list[float], bool]:
    """Of each answer a number of which more is better, and whether it is a score that the source gave."""
    role = next((name for name in ("scores", "ranks") if _given(columns, values, name)), None)
    if role is None:
        if columns.better in ("first", "last"):
            return [float(-index if columns.better == "first" else index) for index in range(count)], False
        raise RowProblem("scores", "a score or a rank for each answer", "none")
    expression = columns.roles[role]
    given = _listed(expression, values)
    if given is None or len(given) != count:
        found = expression.get(values) if given is None else given
        raise RowProblem(expression.text, f"a list of {count} numbers, one for each answer", shown(found))
    found_scores = [float(each) if isinstance(each, bool) else number(each, expression.text) for each in given]
    lower = columns.better == "lower" or (columns.better is None and role == "ranks")
    return [-each if lower else each for each in found_scores], not lower


def _given(columns: Columns, values: Values, role: str) -> bool:
    expression = columns.roles.get(role)
    value = None if expression is None else expression.get(values)
    return value is not None and not (isinstance(value, list) and all(each is None for each in value))
