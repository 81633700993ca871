"""What stands behind a held-out accuracy, in plain words: at equal lengths, beside simple rules, by slices."""

from __future__ import annotations

from tiebreak.formatting.numbers import with_interval
from tiebreak.formatting.text import one_line
from tiebreak.runs.outcome import BreakdownRecord, EstimateRecord

_LONGEST = 60  # characters of a name that comes from the data


def breakdown_rows(parts: BreakdownRecord | None) -> list[tuple[str, str]]:
    """Label and value of each part; a label without a value is a heading for those that are indented after it.

    Args:
        parts: as recorded; None has no rows.
    """
    if parts is None:
        return []
    found = []
    if parts.length_controlled is not None:
        found.append(("accuracy at equal lengths", _written(parts.length_controlled)))
    if parts.rules:
        found.append(("rules that read nothing would have", ""))
    found += [(f"  {rule.name}", _written(rule.accuracy)) for rule in parts.rules]
    kind = None
    for part in parts.slices:
        if part.by != kind:
            found.append((f"accuracy by {part.by}", ""))
        kind = part.by
        found.append((f"  {one_line(part.name, _LONGEST)}", f"{_written(part.accuracy)} of {part.pairs:,} pairs"))
    return found


def _written(found: EstimateRecord) -> str:
    return with_interval(found.value, (found.low, found.high))
