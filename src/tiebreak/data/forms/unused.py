"""What a form does not read of a row: columns, keys of objects in them, and keys of messages, by name.

Knows paths and messages. Nothing is left out in silence: whoever reads a source counts these and tells them once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tiebreak.data.forms.conversation import BESIDE, KNOWN_KEYS, is_turn
from tiebreak.data.forms.paths import Expression, Step, unpacked
from tiebreak.data.forms.tags import no_tags
from tiebreak.data.reading.rows import Values

Unused = Callable[[Values], set[str]]
"""The names of what a row has, with a value, and the form does not read."""
_Tree = dict[Step, Any]
# A loss weight of a message says which turns are scored, which a form decides itself.
_KEPT = 256
_KNOWN = KNOWN_KEYS | BESIDE | {"loss_weight", "type", "text"}


def unused_of(expressions: Iterable[Expression], ignore: frozenset[str], tags: Iterable[Expression] = ()) -> Unused:
    """What finds the unused parts of a row.

    Args:
        expressions: all that a form reads, but for the tags.
        ignore: columns that do not matter.
        tags: what is read only where it is a tag.
    """
    read, tags = list(expressions), list(tags)
    tree: _Tree = {}
    for path in (path for expression in (*read, *tags) for path in expression.paths):
        below = tree
        for step in path.steps:
            below = below.setdefault(step, {})
        below[""] = True
    # Of alternatives only the first that a row has is read; those that are objects are not worth the look.
    others = [
        tuple(path.column for path in expression.paths if len(path.steps) == 1)
        for expression in read
        if expression.alternatives
    ]
    plans: dict[tuple[str, ...], _Plan] = {}

    def plan_of(names: tuple[str, ...]) -> _Plan:
        there = [[name for name in columns if name in names] for columns in others]
        known = [name for name in names if name not in ignore]
        return _Plan(
            tuple(name for name in known if name not in tree),
            tuple((name, tree[name]) for name in known if name in tree),
            tuple(tuple(each) for each in there if len(each) > 1),
            tuple(each for each in tags if any(path.column in names or path.text in names for path in each.paths)),
        )

    def unused(values: Values) -> set[str]:
        names = tuple(values)
        plan = plans.get(names)
        if plan is None:
            if len(plans) >= _KEPT:
                plans.clear()
            plan = plans[names] = plan_of(names)
        found = {str(name) for name in plan.unread if not _is_empty(values[name])} if plan.unread else set()
        for name, below in plan.read:
            value = values[name]
            if "" not in below:
                _inside(unpacked(value), below, str(name), found)
            elif type(value) is not str and isinstance(value, list | dict):
                _messages(value, str(name), found)
        for columns in plan.alternatives:
            given = [name for name in columns if values[name] is not None]
            found.update(name for name in given[1:] if name not in ignore)
        for expression in plan.tags:
            found.update(no_tags(expression, values, ignore))
        return found

    return unused


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be looked at in rows of the same columns.

    Attributes:
        unread: columns that are not read.
        read: those that are, with what is read below them.
        alternatives: of each role with several, those that the rows have.
        tags: where tags may stand, of those that the rows have a column for.
    """

    unread: tuple[str, ...]
    read: tuple[tuple[str, _Tree], ...]
    alternatives: tuple[tuple[str, ...], ...]
    tags: tuple[Expression, ...]


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, str | list | dict) and not value)


def _inside(value: Any, below: _Tree, name: str, found: set[str]) -> None:
    """Keys of an object, or of the objects in a list, of which only some are read."""
    if isinstance(value, list):
        every = below.get("*")
        for index, each in enumerate(value):
            further = every if every is not None else below.get(index)
            if isinstance(further, dict) and "" not in further:
                _inside(each, further, f"{name}[*]", found)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            further = below.get(key)
            if further is None:
                if not _is_empty(each):
                    found.add(f"{name}.{key}")
            elif "" not in further:
                _inside(each, further, f"{name}.{key}", found)
            elif isinstance(each, list | dict):
                _messages(each, f"{name}.{key}", found)


def _messages(value: Any, name: str, found: set[str]) -> None:
    """Keys of messages beside who speaks and what is said."""
    for turn in value if isinstance(value, list) else [value]:
        if isinstance(turn, dict) and len(turn) > 2 and is_turn(turn):
            found.update(
                f"{name}[*].{key}"
                for key, each in turn.items()
                if key not in _KNOWN and not _is_empty(each) and not (key == "name" and turn.get("role") == "tool")
            )
