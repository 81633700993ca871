r"""Where in a row a value stands: the small language of paths and templates that columns are named in.

    question                 a column
    info.post                a key of an object in a column; a CSV cell that holds JSON is opened
    summaries[0].text        an element of a list, [-1] the last
    answers[*].text          the same of every element, as a list
    question|query           the first of these that the row has; of answers and their scores, all of them
    "{info.title}\n\n{post}" columns joined; what stands before a field that is missing or blank is left out with it

A name is looked for whole before it is taken apart, so a column may be called `chosen.text`. Knows nothing of roles.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tiebreak.data.reading.rows import Values
from tiebreak.errors import InputError

Getter = Callable[[Values], Any]
"""From a row to a value of it; None where the row has none."""
Step = str | int
"""A key, an index, or `*` for every element."""

_PART = re.compile(r"\[(\*|-?\d+)\]|\.?([^.\[\]]+)")
_FIELD = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Path:
    """One place in a row.

    Attributes:
        text: as it was written.
        steps: the column, then keys and indices.
        get: the value that stands there.
    """

    text: str
    steps: tuple[Step, ...]
    get: Getter

    @property
    def column(self) -> str:
        """The column that it begins in."""
        return str(self.steps[0])


@dataclass(frozen=True)
class Expression:
    """A path, several of which the first that a row has counts, or a template.

    Attributes:
        text: as it was written.
        paths: every place that it may read.
        get: the value of a row.
        alternatives: whether only the first of the paths that a row has is read.
    """

    text: str
    paths: tuple[Path, ...]
    get: Getter
    alternatives: bool

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it may read."""
        return frozenset(path.column for path in self.paths)


def parse_path(text: str) -> Path:
    """A path.

    Raises:
        InputError: it is none.
    """
    name = text.strip()
    steps: list[Step] = []
    position = 0
    for found in _PART.finditer(name):
        if found.start() != position:
            break
        index, key = found.groups()
        steps.append(key if index is None else index if index == "*" else int(index))
        position = found.end()
    if position != len(name) or not steps or not isinstance(steps[0], str) or steps[0] == "*":
        raise InputError(
            f"'{text}' is no path to a value.",
            where="columns",
            fix="write a column, or a path into it: info.post, summaries[0].text, answers[*].text",
        )
    return Path(name, tuple(steps), _getter(name, tuple(steps)))


def parse(text: str) -> Expression:
    """An expression of a role.

    Raises:
        InputError: it is none.
    """
    if "{" in text:
        return _template(text)
    paths = tuple(parse_path(part) for part in text.split("|"))
    if len(paths) == 1:
        return Expression(text, paths, paths[0].get, alternatives=False)
    getters = tuple(path.get for path in paths)

    def first(values: Values) -> Any:
        for get in getters:
            value = get(values)
            if value is not None and value != []:
                return value
        return None

    return Expression(text, paths, first, alternatives=True)


def _getter(name: str, steps: tuple[Step, ...]) -> Getter:
    if steps == (name,):
        return lambda values: values.get(name)
    first, rest = str(steps[0]), steps[1:]

    def get(values: Values) -> Any:
        return values[name] if name in values else _walk(values.get(first), rest)

    return get


def _walk(value: Any, steps: tuple[Step, ...]) -> Any:
    for position, step in enumerate(steps):
        value = unpacked(value)
        if step == "*":
            if not isinstance(value, list):
                return None
            return [_walk(each, steps[position + 1 :]) for each in value]
        if isinstance(step, int):
            if not isinstance(value, list) or not -len(value) <= step < len(value):
                return None
            value = value[step]
        elif isinstance(value, Mapping):
            value = value.get(step)
        else:
            return None
    return value


def lacking_key(values: Values, path: Path) -> dict[str, str] | None:
    """The keys that stand where a path asks for another one.

    Args:
        values: a row.
        path: a path into it.
    Returns:
        The paths that there are instead, with the key of each; none where the row has nothing to look into; None where
        the path leads to something.
    """
    if path.text in values:
        return None
    value, written = values.get(path.column), path.column
    for step in path.steps[1:]:
        value = unpacked(value)
        if isinstance(step, str) and step != "*":
            if not isinstance(value, Mapping):
                return {}
            if step not in value:
                return {f"{written}.{key}": str(key) for key in value}
            value, written = value[step], f"{written}.{step}"
        else:
            index = 0 if step == "*" else int(step)
            if not isinstance(value, list) or not -len(value) <= index < len(value):
                return {}
            value, written = value[index], f"{written}[{step}]"
    return None


def _template(text: str) -> Expression:
    """Fields and the text between them; text belongs to the field that it stands before."""
    pieces = _FIELD.split(text)
    before, names, last = pieces[:-1:2], pieces[1::2], pieces[-1]
    if any(mark in piece for piece in (*before, last) for mark in "{}"):
        raise InputError(
            f"The template '{text}' has a brace that is not closed.", where="columns", fix="write {column}"
        )
    fields = tuple((lead, parse(name)) for lead, name in zip(before, names, strict=True))

    def join(values: Values) -> Any:
        made = ""
        for lead, field in fields:
            value = field.get(values)
            if value is None or (isinstance(value, str) and not value.strip()):
                continue
            if not isinstance(value, str | int | float):
                return {"template": field.text}  # no text: whoever reads the role says what is wrong
            made += (lead if made or lead.strip() else "") + str(value)
        return made + last if made else None

    paths = tuple(path for _, field in fields for path in field.paths)
    return Expression(text, paths, join, alternatives=False)


def unpacked(value: object) -> object:
    """A CSV cell that holds a list or an object, as JSON or as Python prints it, as what it holds; else as it is."""
    if not isinstance(value, str) or not value.startswith(("[", "{")) or not value.rstrip().endswith(("]", "}")):
        return value
    try:
        found = json.loads(value)
        if "\\ud" in value.lower():
            json.dumps(found, ensure_ascii=False).encode()  # refuses half a surrogate pair, as Arrow would
    except (ValueError, RecursionError):
        return _printed(value)
    return found


def _printed(value: str) -> object:
    """A list of objects or texts as pandas writes it into a CSV cell: Python's, or numpy's without commas."""
    if not value.startswith(("[{", "['", '["', "{'", "[ {")):
        return value
    for text in (value, re.sub(r"\}\s*\n\s*\{", "}, {", value)):
        try:
            found = ast.literal_eval(text)
            json.dumps(found, ensure_ascii=False).encode()
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        return found
    return value
