"""Which columns are what where their names differ from source to source: prompts, two answers, lists, verdicts, scores.

Each function gives the roles of a row in the language of `roles`, or None where the row is not of its form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tiebreak.data.forms import conversation as talk
from tiebreak.data.forms.paths import unpacked
from tiebreak.data.forms.verdict import QUESTIONS
from tiebreak.data.reading.rows import Values

# Columns that hold what was asked, in the order in which they are looked for.
_ASKED = ("prompt", "question", "query", "instruction", "input", "context", "trajectory", "user", "problem")
_CONVERSATIONS = ("conversation", "conversations", "messages", "history")
_VERDICTS = (
    "better_response_id",
    "choice",
    "preference",
    "winner",
    "better",
    "preferred",
    "label",
    "labels",
    "verdict",
)
_TWO = re.compile(
    r"(response|answer|output|completion|reply|text|candidate|generation|summary|option|human_ref)([_-]?)([01aA])$"
)
_NEXT = {"0": "1", "1": "2", "a": "b", "A": "B"}
_SCORE_STEMS = ("score", "reward", "rating", "overall_score", "points", "votes")
_LISTS = ("answers", "responses", "completions", "outputs", "generations", "candidates", "replies")
_SCORES = ("scores", "ratings", "rewards")
_RANKS = ("ranks", "rankings", "ranking")
_SCORE_KEYS = ("score", "overall_score", "rating", "reward", "pm_score", "votes")


def _asked(values: Mapping[str, Any], under: str = "", *, conversations: bool = True) -> str | None:
    """What holds the prompt of a row."""
    names = (*_ASKED, *(_CONVERSATIONS if conversations else ()))
    name = next((name for name in names if values.get(name) is not None), None)
    if name == "instruction":
        return f"{{{under}instruction}}\n{{{under}input}}"
    if name == "question" and isinstance(values[name], Mapping):
        name = "question.full_text"
    return None if name is None else f"{under}{name}:there"


def two_answers(values: Mapping[str, Any], under: str = "") -> dict[str, str] | None:
    """Two columns of answers whose names differ in their last letter, with what was asked and scores of the same."""
    for name in values:
        match = _TWO.fullmatch(str(name))
        other = f"{match[1]}{match[2]}{_NEXT[match[3]]}" if match else None
        if match is None or other not in values:
            continue
        prompt = _asked(values, under)
        if prompt is None:
            return None
        roles = {"prompt": prompt, "a": f"{under}{name}:there", "b": f"{under}{other}:there"}
        for stem in _SCORE_STEMS:
            for joint in ("_", "", "-"):
                beside = [f"{stem}{joint}{end}" for end in (match[3], _NEXT[match[3]])]
                if all(each in values for each in beside):
                    return {**roles, "score_a": beside[0], "score_b": beside[1]}
        return roles
    return None


_ONE_WON = {
    "first": "1-0|1.0-0.0|true-false",
    "second": "0-1|0.0-1.0|false-true",
    "tie": "0-0|0.0-0.0|false-false|1-1|1.0-1.0|true-true",
}


def labelled(values: Values) -> dict[str, str] | None:
    """Two answers and a column that says which is better."""
    roles = two_answers(values)
    if roles is None:
        return None
    choice = next((name for name in _VERDICTS if name in values), None)
    if choice is not None:
        return {**roles, "choice": choice}
    if "winner_model_a" in values and "winner_model_b" in values:  # no scores of the answers, but which of them won
        return {**roles, "choice": "{winner_model_a}-{winner_model_b}", **_ONE_WON}
    return None


def scored(values: Values) -> dict[str, str] | None:
    """Two answers and a score of each."""
    roles = two_answers(values)
    return roles if roles is not None and "score_a" in roles else None


def ranked(values: Values) -> dict[str, str] | None:
    """A list of answers, with scores or ranks beside it or in it."""
    column = next((name for name in _LISTS if isinstance(unpacked(values.get(name)), list)), None)
    prompt = _asked(values)
    if column is None or prompt is None:
        return None
    roles = {"prompt": prompt, "answers": f"{column}:list"}
    for names, role in ((_SCORES, "scores"), (_RANKS, "ranks")):
        beside = next((name for name in names if values.get(name) is not None), None)
        if beside is not None:
            return {**roles, role: beside}
    answers = unpacked(values[column])
    first = answers[0] if isinstance(answers, list) and answers else None
    if not isinstance(first, Mapping):
        return None
    key = next((key for key in (*_SCORE_KEYS, "rank", "selected") if key in first), None)
    inside = None if talk.is_turn(first) else next((name for name in _TEXTS if name in first), None)
    if key is None:
        return None
    answer = f"{column}:list" if inside is None else f"{column}[*].{inside}:list"
    return {**roles, "answers": answer, "ranks" if key == "rank" else "scores": f"{column}[*].{key}"}


_TEXTS = ("text", "content", "answer", "response", "completion", "output")


def question(values: Values) -> dict[str, str] | None:
    """Chosen and rejected, with the prompt under one of its names."""
    prompt = _asked(values, conversations=False)
    return None if prompt is None else {"prompt": prompt, "chosen": "chosen:there", "rejected": "rejected:there"}


def chosen_response(values: Values) -> dict[str, str] | None:
    """Chosen and rejected with a further word in their names."""
    prompt = _asked(values)
    for name in ("response", "answer", "completion", "output"):
        for chosen, rejected in ((f"chosen_{name}", f"rejected_{name}"), (f"{name}_chosen", f"{name}_rejected")):
            if prompt is not None and chosen in values and rejected in values:
                return {"prompt": prompt, "chosen": f"{chosen}:there", "rejected": f"{rejected}:there"}
    return None


_SELECTED = ("left", "right")


def label_studio(values: Values) -> dict[str, str] | None:
    """An export of Label Studio: two texts of a task and what annotators selected, `left` or `right`.

    In the plain export (JSON_MIN, CSV) the task's texts are columns, and so is what was selected, by its control's
    name.
    """
    data = values.get("data")
    if isinstance(data, Mapping) and isinstance(unpacked(values.get("annotations")), list):
        roles = two_answers(data, "data.")
        return None if roles is None else {**roles, "choice": "annotations"}
    roles = two_answers(values)
    if roles is None:
        return None
    name = next((name for name, value in values.items() if "." not in str(name) and _is_selection(value)), None)
    return None if name is None else {**roles, "choice": str(name)}


def _is_selection(value: object) -> bool:
    value = unpacked(value)
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        value = value[0]
    return (value.get("selected") if isinstance(value, Mapping) else value) in _SELECTED


def argilla(values: Values) -> dict[str, str] | None:
    """A record of Argilla: fields, and responses of version 1 (a list with values) or 2 (lists by question).

    In a data set that Argilla wrote to the Hub fields are columns: `NAME.responses`, or in version 1 `NAME` with a list
    of what each annotator said.
    """
    fields, responses = values.get("fields"), values.get("responses")
    if not isinstance(fields, Mapping):
        return _argilla_columns(values)
    roles = two_answers(fields, "fields.")
    if roles is None:
        return None
    if isinstance(responses, Mapping):
        name = next((name for name in QUESTIONS if responses.get(name)), None)
        return None if name is None else {**roles, "choice": f"responses.{name}"}
    if not isinstance(responses, list) or not responses or not isinstance(responses[0], Mapping):
        return None
    given = responses[0].get("values")
    return {**roles, "choice": "responses"} if isinstance(given, Mapping) and set(QUESTIONS) & set(given) else None


def _argilla_columns(values: Values) -> dict[str, str] | None:
    roles = two_answers(values)
    if roles is None:
        return None
    for name, value in values.items():
        said = unpacked(value)
        if isinstance(said, list) and said and (str(name).endswith(".responses") or all(map(_is_response, said))):
            return {**roles, "choice": str(name)}
    return None


def _is_response(value: object) -> bool:
    """What one annotator said to a question, as Argilla 1 writes it."""
    return isinstance(value, Mapping) and "value" in value and "status" in value


def ranked_names(values: Values) -> dict[str, str] | None:
    """A list of answers whose name says that they are ranked."""
    name = next((name for name in values if str(name).startswith("ranked_")), None)
    prompt = _asked(values)
    return None if name is None or prompt is None else {"prompt": prompt, "answers": f"{name}:list", "better": "first"}
