"""What stands behind an accuracy is said in rows, with headings before those that belong together."""

from __future__ import annotations

from tiebreak.report.breakdown import breakdown_rows
from tiebreak.runs.outcome import BreakdownRecord, EstimateRecord, RuleRecord, SliceRecord

HALF = EstimateRecord(value=0.5, low=0.25, high=0.75)


def _slice(by: str, name: str) -> SliceRecord:
    return SliceRecord(by=by, name=name, pairs=1_200, prompts=1_000, accuracy=HALF)


def test_slices_stand_under_their_kind() -> None:
    record = BreakdownRecord(
        pairs=2_400,
        prompts=2_000,
        measure="reward",
        accuracy=HALF,
        length_controlled=HALF,
        rules=(RuleRecord(name="the longer completion", accuracy=HALF),),
        slices=(_slice("source", "a\nb"), _slice("source", "x" * 90), _slice("category", "c")),
    )
    said = "50.0% (25.0–75.0%)"
    assert breakdown_rows(record) == [
        ("accuracy at equal lengths", said),
        ("rules that read nothing would have", ""),
        ("  the longer completion", said),
        ("accuracy by source", ""),
        ("  a b", f"{said} of 1,200 pairs"),
        (f"  {'x' * 60} … (30 more characters)", f"{said} of 1,200 pairs"),
        ("accuracy by category", ""),
        ("  c", f"{said} of 1,200 pairs"),
    ]


def test_what_is_not_known_is_not_said() -> None:
    assert breakdown_rows(None) == []
    record = BreakdownRecord(pairs=1, prompts=1, measure="log-prob", accuracy=HALF)
    assert breakdown_rows(record) == []
