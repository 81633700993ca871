"""metrics.jsonl: one JSON object a logged step, appended as the run goes and cut back when it resumes.

Reads what a kill may have cut off, and rows that hold anything.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tiebreak.files import without_nan, write_text

_TAIL = 1 << 16  # bytes: many rows, and little to read of a long run


def append_metrics(path: Path, row: Mapping[str, Any]) -> None:
    """Add one line."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(without_nan(dict(row))) + "\n")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All whole lines; a last line that a kill cut off is dropped."""
    if not path.exists():
        return []
    return list(_rows(path.read_text(encoding="utf-8", errors="replace").splitlines()))


def cut_metrics(path: Path, step: int) -> None:
    """Drop the lines after a step: a resumed run writes them again."""
    if path.exists():
        kept = [row for row in read_metrics(path) if row.get("step", 0) <= step]
        write_text(path, "".join(json.dumps(row) + "\n" for row in kept))


def last_step(path: Path) -> int | None:
    """The last logged step, read from the end of the file; None where none was logged."""
    last = last_value(path, "step")
    return None if last is None else int(last)


def last_value(path: Path, name: str) -> float | None:
    """The last finite value of a name, read from the end of the file; None where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            lines = file.read().decode(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    values = (number_in(row, name) for row in _rows(reversed(lines)))
    return next((value for value in values if value is not None and math.isfinite(value)), None)


def number_in(row: Mapping[str, Any], name: str) -> float | None:
    """A number of a row, NaN and infinity included; None where there is none, or one too large for a float."""
    value = row.get(name)
    if type(value) is float:  # nearly all of them
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _rows(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:  # cut off by a kill, or by where reading began
            continue
        if isinstance(row, dict):
            yield row
