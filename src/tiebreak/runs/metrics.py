"""metrics.jsonl: one JSON object a logged step, appended as the run goes and cut back when it resumes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiebreak.files import without_nan, write_text


def append_metrics(path: Path, row: Mapping[str, Any]) -> None:
    """Add one line."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(without_nan(dict(row))) + "\n")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All whole lines; a last line that a kill cut off is left out."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def cut_metrics(path: Path, step: int) -> None:
    """Drop the lines after a step: a resumed run writes them again."""
    if path.exists():
        kept = [row for row in read_metrics(path) if row.get("step", 0) <= step]
        write_text(path, "".join(json.dumps(row) + "\n" for row in kept))
