"""How many rows met which fate, and how that is said."""

from __future__ import annotations

import json

from tiebreak.data.load_report import LoadReport, Tally


def _tally(*where: str) -> Tally:
    tally = Tally()
    for each in where:
        tally = tally.add(each)
    return tally


def test_a_tally_names_the_first_few_rows_and_a_file_once() -> None:
    assert _tally("a.jsonl:1", "a.jsonl:7", "b.jsonl:2").named() == "a.jsonl:1, :7, b.jsonl:2"
    many = _tally(*(f"a.jsonl:{number}" for number in range(1, 9)))
    assert (many.count, many.named()) == (8, "a.jsonl:1, :2, :3, :4, :5, …")
    assert _tally("somewhere", "somewhere").named() == "somewhere, somewhere"


def test_a_report_survives_json() -> None:
    report = LoadReport(
        source="a.jsonl",
        rows=3,
        made=1,
        dropped={"a tie": _tally("a.jsonl:2")},
        bad=_tally("a.jsonl:3: no row"),
        notes={"an empty completion": _tally("a.jsonl:1")},
        splits=("train",),
    )
    assert LoadReport.from_json(json.loads(json.dumps(report.to_json()))) == report
    assert report.pairs == report.made
