"""What became of rows: counted, and the first few named."""

from __future__ import annotations

import json

from datasets import Dataset

from tiebreak.data.preparing.fates import Fates


def test_the_first_few_rows_of_each_fate_are_named_by_id_or_index() -> None:
    fates = Fates()
    for row in range(8):
        fates.count("too long", row)
    fates.note("cut", 3)
    again = Fates.from_json(json.loads(json.dumps(fates.to_json())))
    assert again == fates
    assert (again.counts, again.notes) == ({"too long": 8}, {"cut": 1})
    rows = Dataset.from_dict({"id": ["a", None, "c", "d", "e", "f", "g", "h"]})
    assert again.named(rows) == {"too long": ("a", "row 2", "c", "d", "e"), "cut": ("d",)}
    assert again.named(rows.rename_column("id", "x"))["cut"] == ("row 4",)
