"""The table of pairs: the most wrong first, with their texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.evaluate.tables import measured
from tiebreak.evaluate.pair_sheet import pair_sheet
from tiebreak.runs.sheet import write_sheet


def row(number: int, *turns: str) -> dict[str, Any]:
    said = [{"role": "user" if place % 2 == 0 else "assistant", "content": text} for place, text in enumerate(turns)]
    return {"prompt": said, "chosen": f"=good {number}", "rejected": f"bad\n{number}", "id": None}


ROWS = [row(0, "Why?"), row(1, "Hi", "Hello.", "Why?"), row(2, "How?")]


def test_the_most_wrong_pair_comes_first() -> None:
    sheet = pair_sheet(measured([1.0, -2.0, 0.5], rows=[3, 5, 7]), ROWS)
    column = {name: [cells[place] for cells in sheet.rows] for place, name in enumerate(sheet.headings)}
    assert column["row"] == [5, 7, 3]
    assert column["margin"] == [-2.0, 0.5, 1.0]
    assert column["right"] == [0.0, 1.0, 1.0]
    assert column["prompt"][0] == "user: Hi\n\nassistant: Hello.\n\nuser: Why?"
    assert column["prompt"][1] == "How?"
    assert column["chosen_tokens"] == [10, 10, 10]


def test_tags_have_a_column_where_any_pair_has_one() -> None:
    tags: dict[str, list[str | None]] = {"source": ["a", None, "b"], "category": [None] * 3}
    sheet = pair_sheet(measured([1.0, -2.0, 0.5], tags=tags), ROWS)
    assert "category" not in sheet.headings
    place = sheet.headings.index("source")
    assert [cells[place] for cells in sheet.rows] == [None, "b", "a"]
    assert "source" not in pair_sheet(measured([1.0, -2.0, 0.5]), ROWS).headings


def test_parquet_keeps_text_and_numbers_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "pairs.parquet"
    write_sheet(pair_sheet(measured([1.0, -2.0, 0.5]), ROWS), path)
    table = pq.read_table(path)
    assert table.column("rejected").to_pylist() == ["bad\n1", "bad\n2", "bad\n0"]
    assert table.column("chosen").to_pylist()[0] == "=good 1"
    assert str(table.schema.field("margin").type) == "double"
    assert str(table.schema.field("row").type) == "int64"
    assert [file.name for file in tmp_path.iterdir()] == ["pairs.parquet"]
