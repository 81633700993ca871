"""Which column may be what, guessed from names and types: chosen and rejected, two answers, a list, or one answer.

Knows names that people give to columns, in several languages, and looks into objects. Every guess names what the rows
have; whether it makes examples of them is tried elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tiebreak.data.forms.conversation import is_parts, is_turn, is_turns
from tiebreak.data.forms.paths import unpacked
from tiebreak.data.forms.roles import as_number
from tiebreak.data.reading.rows import Values

# What columns are called by their roles, as parts of names; of the first rows that have one the longest part wins.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "chosen": (
        *("chosen", "choosen", "choose", "good", "better", "best", "prefer", "accept", "win", "winner", "winning"),
        *("won", "positive", "correct", "pos", "gut", "besser", "bien", "bon", "desired", "selected", "preferred"),
    ),
    "rejected": (
        *("reject", "rejected", "bad", "worse", "worst", "lose", "loser", "losing", "lost", "negative", "incorrect"),
        *("neg", "dispreferred", "non_preferred", "unpreferred", "schlecht", "schlechter", "mal", "mauvais", "wrong"),
        "refused",
    ),
    "prompt": (
        *("prompt", "question", "query", "instruction", "input", "ask", "user", "frage", "pregunta", "problem"),
        *("request", "task", "source", "context", "post", "anfrage", "q"),
    ),
    "completion": (
        *("completion", "response", "answer", "reply", "output", "antwort", "respuesta", "assistant", "target", "a"),
    ),
    "label": ("label", "good", "ok", "thumb", "like", "desirable", "kto", "feedback", "verdict"),
    "choice": (
        "choice",
        "preferred",
        "preference",
        "winner",
        "better",
        "best",
        "safer",
        "pick",
        "label",
        "verdict",
        "vote",
    ),
    "scores": ("score", "rating", "reward", "vote", "upvote", "thumb", "star", "point", "grade", "like"),
}
_NO_CHOICE = re.compile(r"(^|[._])(id|uuid|url|source|time|date|at|lang|language|index|idx|split|model|turn|turns)$")
_DEPTH = 3
_NAMEABLE = re.compile(r"[^.\[\]{}|,=\"'\\]+")
_COLUMN = re.compile(r"[^{}|,=\"'\\:]+")
Guess = dict[str, str]


def guess(rows: Sequence[Values]) -> Guess:
    """Columns by role, the likeliest; empty where the rows have too few that hold text."""
    return next(guesses(rows), {})


def guesses(rows: Sequence[Values]) -> Iterator[Guess]:
    """Columns by role, the likeliest first.

    Args:
        rows: the first rows.
    """
    flat = [_flat(values) for values in rows]
    numbers = _columns(flat, lambda value: as_number(value) is not None)
    roles = ("chosen", "rejected", "prompt", "completion")
    texts = [
        name
        for name in _columns(flat, _is_text)
        if "[*]" not in name and (name not in numbers or any(_named(role, [name]) for role in roles))
    ]
    found: Guess = {}
    for role in ("rejected", "chosen", "prompt"):
        named = _named(role, [name for name in texts if name not in found.values()])
        if named is not None:
            found[role] = named
    two = _two(texts)
    if two and not {"chosen", "rejected"} <= set(found):
        yield from _with_choice(flat, texts, numbers, two)
    if len(texts) >= 3 and {"chosen", "rejected"} & set(found):
        yield from _three(found, texts)
    yield from _with_lists(flat, [name for name in (found.get("prompt"), *texts) if name])
    if len(texts) >= 3 and not two and not {"chosen", "rejected"} & set(found):
        yield from _three(found, texts)
    if len(texts) == 2 and not {"chosen", "rejected"} & set(found) and (found or _named("completion", texts)):
        yield from _single(flat, texts, found)


def _three(found: Guess, texts: Sequence[str]) -> Iterator[Guess]:
    """A prompt and two completions, which stand in one object or under the same key of two."""
    left = [name for name in texts if name not in found.values()]
    made = dict(found)
    for role in ("prompt", "chosen", "rejected"):
        if role not in made and left:
            made[role] = left.pop(0)
    (above, _, key), (other, _, its_key) = (made[role].rpartition(".") for role in ("chosen", "rejected"))
    if above == other or (key == its_key and made["prompt"].rpartition(".")[0] not in (above, other)):
        yield {role: made[role] for role in ("prompt", "chosen", "rejected")}


def _single(rows: Sequence[Values], texts: Sequence[str], found: Guess) -> Iterator[Guess]:
    """One answer, with a label where one is called so."""
    prompt = found.get("prompt") or next(name for name in texts if name != _named("completion", texts))
    single = {"prompt": prompt, "completion": next(name for name in texts if name != prompt)}
    label = _named("label", [str(name) for name in rows[0] if name not in texts])
    if label:
        yield {**single, "label": label}
    yield single


def _is_text(value: object) -> bool:
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return len(value) == 1
    return isinstance(value, str) or is_turns(value) or is_turn(value) or is_parts(value)


def _flat(values: Values) -> dict[str, Any]:
    """A row with the paths into its objects, and into those of its lists, in place of these."""
    made: dict[str, Any] = {}
    for name, value in values.items():
        if _COLUMN.fullmatch(str(name)):
            _open(str(name), unpacked(value), made, _DEPTH)
    return made


def _open(path: str, value: Any, made: dict[str, Any], depth: int) -> None:
    if isinstance(value, Mapping) and not is_turn(value) and depth:
        for key, each in value.items():
            if _NAMEABLE.fullmatch(str(key)):
                _open(f"{path}.{key}", unpacked(each), made, depth - 1)
    elif isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value) and not is_turns(value):
        for key in value[0]:
            if _NAMEABLE.fullmatch(str(key)) and not is_parts(value):
                made[f"{path}[*].{key}"] = [each.get(key) for each in value]
        if is_parts(value):
            made[path] = value
    else:
        made[path] = value


def _two(names: Sequence[str]) -> tuple[str, str] | None:
    """Two columns whose names differ in one letter or digit alone."""
    for first in names:
        for second in names:
            if len(first) == len(second) and first < second and sum(map(str.__ne__, first, second)) == 1:
                return first, second
    return None


def _with_choice(
    rows: Sequence[Values], texts: Sequence[str], numbers: Sequence[str], two: tuple[str, str]
) -> Iterator[Guess]:
    rest = [name for name in texts if name not in two]
    prompt = _named("prompt", rest) or (rest[0] if rest else None)
    made = {**({"prompt": prompt} if prompt else {}), "a": two[0], "b": two[1]}
    others = [
        name
        for name in dict.fromkeys(str(name) for values in rows for name in values)
        if name not in (*two, prompt) and not _is_long(rows, name)
    ]
    scores = _two([name for name in numbers if name in others and _named("scores", [name])])
    if scores:
        yield {**made, "score_a": scores[0], "score_b": scores[1]}
    named = [name for name in others if _named("choice", [name])]
    further = [name for name in others if name not in named and not _NO_CHOICE.search(name.lower())]
    for choice in (*named, *further):
        yield {**made, "choice": choice}


def _with_lists(rows: Sequence[Values], prompts: Sequence[str]) -> Iterator[Guess]:
    """A list of answers and a list of as many numbers."""

    def of(kind: Callable[[Any], bool]) -> Callable[[Any], bool]:
        return lambda value: isinstance(value, list) and bool(value) and all(map(kind, value))

    answers = _columns(rows, of(lambda each: isinstance(each, str)))
    scores = _columns(rows, of(lambda each: as_number(each) is not None and not isinstance(each, str)))
    scores.sort(key=lambda name: _named("scores", [name]) is None)
    if prompts and answers and scores:
        yield {"prompt": prompts[0], "answers": answers[0], "scores": scores[0]}


def _is_long(rows: Sequence[Values], name: Any) -> bool:
    return any(isinstance(values.get(name), str) and len(values[name]) > 30 for values in rows)


def _columns(rows: Sequence[Values], holds: Callable[[Any], bool]) -> list[str]:
    """The columns in which every value is of a kind."""
    names = list(dict.fromkeys(str(name) for values in rows for name in values))
    made = []
    for name in names:
        found = [unpacked(values[name]) for values in rows if values.get(name) is not None]
        if (
            found
            and all(holds(value) for value in found)
            and not re.search(r"(^|[._])(id|uuid|url|source)$", name.lower())
        ):
            made.append(name)
    return made


def _named(role: str, names: Sequence[str]) -> str | None:
    """The column whose name has the longest part of those of a role."""
    best: tuple[int, str] | None = None
    for name in names:
        plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
        words = re.split(r"[^a-z]+", plain)
        for part in _NAMES[role]:
            hit = part in words or (len(part) > 3 and part in plain)
            if hit and (best is None or len(part) > best[0]):
                best = (len(part), name)
    return None if best is None else best[1]
