"""JSON that is one object: a single row, rows under one of its keys, or columns as pandas writes them.

Knows what such an object means; reads no files. It is held whole, as whoever wrote it held it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiebreak.data.reading.rows import Values
from tiebreak.errors import InputError

_UNDER = {"data", "rows", "examples", "train", "items", "records", "dataset", "instances", "samples", "results"}
_UNDER |= {"entries", "pairs", "preferences"}
_SPLITS = {"validation", "valid", "val", "dev", "test", "eval"}
_OF_A_ROW = {"prompt", "question", "instruction", "query", "input", "chosen", "rejected", "messages", "conversations"}
_OF_MESSAGES = ({"role", "content"}, {"from", "value"}, {"role", "value"})


def rows_of_object(value: Mapping[str, Any]) -> list[Values]:
    """The rows that an object stands for; the object itself where it is one row.

    Raises:
        InputError: it stands for several sets of rows.
    """
    return _under_a_key(value) or _split(value) or _by_column(value) or [value]


def _under_a_key(value: Mapping[str, Any]) -> list[Values] | None:
    """Rows in a list under one key, beside which there may be facts of the data set.

    Raises:
        InputError: there are several such lists, as of splits.
    """
    if len(value) == 1:
        ((name, inner),) = value.items()
        if name.lower() in _UNDER and isinstance(inner, dict) and any(key.lower() in _UNDER for key in inner):
            return _under_a_key(inner)
    lists = [(name, each) for name, each in value.items() if _are_rows(each)]
    alone = len(value) == 1 or (bool(lists) and lists[0][0].lower() in _UNDER and not _OF_A_ROW & set(value))
    if len(lists) == 1 and alone:
        return list(lists[0][1])
    if len(lists) > 1 and len(lists) == len(value) and not _OF_A_ROW & set(value):
        names = [name for name, _ in lists]
        if all(name.lower() in _UNDER | _SPLITS for name in names):
            raise InputError(
                f"The object has rows under several keys: {', '.join(names)}.",
                fix="write each into a file of its own, named for its split",
            )
    return None


def _are_rows(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, dict) for each in value[:100])
        and not any(keys <= set(value[0]) for keys in _OF_MESSAGES)
    )


def _split(value: Mapping[str, Any]) -> list[Values] | None:
    """`columns`, `index` and `data` of pandas."""
    names, data = value.get("columns"), value.get("data")
    if set(value) <= {"columns", "index", "data"} and isinstance(names, list) and isinstance(data, list):
        rows = [each for each in data if isinstance(each, list) and len(each) == len(names)]
        return [dict(zip(map(str, names), each, strict=True)) for each in rows] if len(rows) == len(data) else None
    return None


def _by_column(value: Mapping[str, Any]) -> list[Values] | None:
    """Columns of values, in lists or by the number of the row; or rows by their number."""
    if len(value) > 0 and all(isinstance(each, dict) for each in value.values()):
        numbered = all(str(name).isdigit() for name in value)
        inner = [each for each in value.values() if isinstance(each, dict)]
        if numbered:
            return list(inner)
        keys = list(inner[0])
        if keys and all(str(key).isdigit() for key in keys) and all(list(each) == keys for each in inner):
            return [{name: each[key] for name, each in value.items()} for key in keys]
        return None
    lists = list(value.values())
    if len(lists) > 1 and all(isinstance(each, list) and each and len(each) == len(lists[0]) for each in lists):
        if any(isinstance(each[0], dict) for each in lists):
            return None  # messages: one row
        return [dict(zip(value, cells, strict=True)) for cells in zip(*lists, strict=True)]
    return None
