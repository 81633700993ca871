"""JSON that is one object: rows under a key, columns of values, or a single row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.data.files import load, pairs, preferences, write
from tiebreak.data.reading.json_whole import rows_of_object
from tiebreak.errors import InputError

ROWS = pairs(3)
COLUMNS = list(ROWS[0])


@pytest.mark.parametrize(
    "value",
    [
        {"data": ROWS},
        {"version": "1.0", "data": ROWS, "info": {"a": 1}},
        {"data": {"rows": ROWS}},
        {"dataset": {"version": "1.0", "examples": ROWS}},
        {"my_own_name": ROWS},
        {name: [row[name] for row in ROWS] for name in COLUMNS},
        {name: {str(i): row[name] for i, row in enumerate(ROWS)} for name in COLUMNS},
        {str(i): row for i, row in enumerate(ROWS)},
        {"columns": COLUMNS, "index": [0, 1, 2], "data": [list(row.values()) for row in ROWS]},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["data.json", "data.jsonl"])
def test_rows_are_found_in_an_object(tmp_path: Path, value: dict[str, Any], indent: int | None, name: str) -> None:
    path = tmp_path / name
    path.write_text(json.dumps(value, indent=indent) + "\n")
    assert preferences(load(path)) == preferences(load(write(tmp_path / "plain.csv", ROWS)))


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "p", "chosen": "x", "rejected": "y"},
        {"prompt": "p", "answers": [{"text": "x", "score": 1}, {"text": "y", "score": 2}]},
        {"chosen": [{"role": "user", "content": "p"}], "rejected": [{"role": "user", "content": "p"}]},
        {"messages": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "x"}]},
        {"input": {"messages": []}, "preferred_output": [{"role": "assistant"}]},
        {"prompt": "p", "examples": [{"text": "x"}]},
        {"data": {"prompt": "p", "answers": [{"text": "x"}]}},
        {"id": 1, "annotations": [{"result": []}]},
        {},
    ],
)
def test_a_single_row_stays_one(row: dict[str, Any]) -> None:
    assert rows_of_object(row) == [row]


def test_a_row_over_several_lines_is_read(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps(ROWS[0], indent=4))
    assert load(path).report.pairs == 1


def test_rows_of_several_splits_in_one_object_are_not_one_set(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps({"train": ROWS, "test": ROWS[:1]}))
    with pytest.raises(InputError, match="rows under several keys: train, test") as error:
        load(path)
    assert str(error.value.where).endswith("data.json")
