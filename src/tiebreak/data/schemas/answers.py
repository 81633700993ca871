"""Answers with a verdict: two answers and which is better, or several with scores or ranks.

Knows the column names that public data uses for answers and verdicts. Rows make no pair, one pair, or many.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiebreak.data.preference import Message, Preference
from tiebreak.data.problems import LeftOut, RowProblem, shown
from tiebreak.data.schemas.fields import Values, identity, not_empty, number, opening, optional_text, required, weight
from tiebreak.data.schemas.instructions import alpaca_prompt
from tiebreak.data.schemas.messages import split_ending
from tiebreak.data.schemas.turns import asked, is_turns, turns, unpacked

_PAIRS = tuple(
    (f"{stem}_{first}", f"{stem}_{second}")
    for stem in ("response", "answer", "output", "completion")
    for first, second in (("0", "1"), ("1", "2"), ("a", "b"), ("A", "B"))
)
_VERDICTS = ("better_response_id", "choice", "preference", "winner", "better", "label")
_TIES = {"tie", "tie (bothbad)", "both", "neither", "equal", "draw", "same", "none", "c", "-1", "0.5"}
_PROMPTS = ("prompt", "instruction", "question", "query")
_LISTS = ("answers", "responses", "completions")
_ANSWER_KEYS = ("text", "content", "answer", "response", "completion", "output")
_SCORE_KEYS = ("score", "overall_score", "rating", "rank")


def _answer_columns(values: Values) -> tuple[str, str] | None:
    return next((pair for pair in _PAIRS if pair[0] in values and pair[1] in values), None)


def _verdict_column(values: Values) -> str | None:
    return next((column for column in _VERDICTS if column in values), None)


def matches_labelled(values: Values) -> bool:
    """Two answers, a prompt, and which is better."""
    told = _verdict_column(values) or ("winner_model_a" in values and "winner_model_b" in values)
    return bool(told and _answer_columns(values) and any(column in values for column in _PROMPTS))


def convert_labelled(values: Values) -> list[Preference]:
    """Two answers and a label (PKU-SafeRLHF: `response_0`, `response_1`, `better_response_id`)."""
    columns = _answer_columns(values)
    if columns is None:
        raise RowProblem("response_0", "two columns with answers", f"the columns {', '.join(map(str, values))}")
    better = _better(values, columns)
    prompt = _prompt(values)
    endings = [not_empty(_answer(values.get(column), column), column) for column in columns]
    return [
        Preference(
            prompt=prompt,
            chosen=endings[better],
            rejected=endings[1 - better],
            id=identity(values),
            weight=weight(values),
        )
    ]


def _better(values: Values, columns: tuple[str, str]) -> int:
    """The place of the better answer, 0 or 1."""
    column = _verdict_column(values)
    if column is None:
        won = [number(values.get(f"winner_model_{side}"), f"winner_model_{side}") for side in "ab"]
        if won[0] == won[1]:
            raise LeftOut("a tie")
        return 0 if won[0] > won[1] else 1
    verdict = required(values, column, "which answer is better")
    if isinstance(verdict, float) and verdict.is_integer():
        verdict = int(verdict)
    said = str(verdict).strip().lower()
    if said in _TIES:
        raise LeftOut("a tie")
    names = [{name.lower(), name.rpartition("_")[2].lower()} for name in columns]
    if names[0] & {"0", "a"}:
        names = [names[0] | {"0", "a", "model_a", "first"}, names[1] | {"1", "b", "model_b", "second"}]
    elif said == "0":
        raise LeftOut("a tie")
    places = [place for place in (0, 1) if said in names[place]]
    if not places:
        expected = f"one of {', '.join(sorted(names[0] | names[1]))}, or tie"
        raise RowProblem(column, expected, shown(verdict))
    return places[0]


def _prompt(values: Values) -> tuple[Message, ...]:
    column = next((column for column in _PROMPTS if column in values), "prompt")
    value = required(values, column, "a prompt")
    if is_turns(value):
        return asked(turns(value, column), column)
    if column == "instruction":
        return alpaca_prompt(values)
    value = _one_text(unpacked(value))
    if not isinstance(value, str):
        raise RowProblem(column, "text or a list of messages", shown(value))
    return opening(optional_text(values, "system"), value, column)


def _one_text(value: object) -> object:
    """A list of one text (the arena's form of a single turn) as that text."""
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        if len(value) > 1:
            raise LeftOut("a conversation of several turns in one column")
        return value[0]
    return value


def _answer(value: Any, column: str) -> str:
    if is_turns(value):
        return split_ending(value, column)[1]
    value = _one_text(unpacked(value))
    if isinstance(value, Mapping):
        value = next((value[key] for key in _ANSWER_KEYS if key in value), None)
    if not isinstance(value, str):
        raise RowProblem(column, "text", shown(value))
    return value


def _list_column(values: Values) -> str | None:
    return next((column for column in _LISTS if isinstance(unpacked(values.get(column)), list)), None)


def matches_ranked(values: Values) -> bool:
    """A prompt, a list of answers, and scores or ranks beside or inside them."""
    column = _list_column(values)
    if column is None or not any(name in values for name in _PROMPTS):
        return False
    answers = unpacked(values[column])
    inside = (
        isinstance(answers, list)
        and bool(answers)
        and isinstance(answers[0], Mapping)
        and any(key in answers[0] for key in _SCORE_KEYS)
    )
    return inside or any(name in values for name in ("scores", "ranks"))


def convert_ranked(values: Values) -> list[Preference]:
    """One pair for each two answers whose scores differ; ids such as `row-3#0>2` name the better and the worse."""
    column = _list_column(values)
    if column is None:
        raise RowProblem("answers", "a list of answers", shown(values.get("answers")))
    answers = unpacked(values[column])
    assert isinstance(answers, list)
    prompt, scores, ranked = _prompt(values), *_scores(values, answers)
    endings = [not_empty(_answer(answer, column), column) for answer in answers]
    pairs = [
        (better, worse)
        for better in range(len(endings))
        for worse in range(len(endings))
        if (scores[better] < scores[worse] if ranked else scores[better] > scores[worse])
    ]
    if not pairs:
        raise LeftOut("a tie" if len(endings) > 1 else "fewer than two answers")
    name, share = identity(values) or "", weight(values)
    return [
        Preference(
            prompt=prompt,
            chosen=endings[better],
            rejected=endings[worse],
            id=f"{name}#{better}>{worse}",
            weight=share,
            chosen_score=None if ranked else scores[better],
            rejected_score=None if ranked else scores[worse],
        )
        for better, worse in pairs
    ]


def _scores(values: Values, answers: list[Any]) -> tuple[list[float], bool]:
    """A score for each answer, and whether they are ranks (1 is best)."""
    column = next((name for name in ("scores", "ranks") if values.get(name) is not None), None)
    if column is not None:
        given = unpacked(values[column])
        if not isinstance(given, list) or len(given) != len(answers):
            raise RowProblem(column, f"a list of {len(answers)} numbers, one for each answer", shown(given))
        return [number(each, column) for each in given], column == "ranks"
    key = next((key for key in _SCORE_KEYS if answers and isinstance(answers[0], Mapping) and key in answers[0]), None)
    if key is None or not all(isinstance(answer, Mapping) for answer in answers):
        raise RowProblem("scores", "a score or a rank for each answer", "none")
    return [number(answer.get(key), key) for answer in answers], key == "rank"
