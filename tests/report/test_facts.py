"""Facts of a run: only what is recorded, and what was seen apart from what there is."""

from __future__ import annotations

import pytest

from tests.report.made import manifest_of
from tiebreak.report.facts import data_facts


@pytest.mark.parametrize(
    ("seen", "status", "told"),
    [
        (40, "finished", ("trained on", "40 of 1,609 pairs")),
        (1609, "finished", ("trained on", "1,609 pairs")),
        (None, "finished", ("trained on", "1,609 pairs")),  # recorded by an earlier version
        (None, "running", ("to train on", "1,609 pairs")),
        (0, "interrupted", ("trained on", "0 of 1,609 pairs")),
    ],
)
def test_what_was_seen_is_told_apart_from_what_there_is(seen: int | None, status: str, told: tuple[str, str]) -> None:
    manifest = manifest_of(status=status, measured=False, data={"source": "pairs.jsonl", "train": 1609, "seen": seen})
    assert told in [(fact.name, fact.value) for fact in data_facts(manifest)]


def test_the_data_are_told_from_the_rows_of_the_source_to_what_is_left() -> None:
    report = {"source": "x", "rows": 100, "made": 90, "bad": {"count": 3}}
    data = {
        "source": "x",
        "report": report,
        "train": 80,
        "held_out": 5,
        "held_out_dropped": {"too long": 2, "a tie": 1},
    }
    told = {fact.name: fact.value for fact in data_facts(manifest_of(data={**data, "labels": {"good": 50, "bad": 30}}))}
    assert told["rows read"] == "100, 90 usable, 3 damaged"
    assert told["dropped of those held out"] == "3"
    assert told["labels"] == "50 good, 30 bad"
    whole = manifest_of(data={"source": "x", "report": {"source": "x", "rows": 90, "made": 90}})
    assert {fact.name: fact.value for fact in data_facts(whole)} == {"source": "x", "rows read": "90"}
