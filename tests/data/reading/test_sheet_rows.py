"""Excel sheets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.files import load, pairs, preferences, write
from tiebreak.errors import InputError

openpyxl = pytest.importorskip("openpyxl", reason="pip install 'tiebreak[sheet]'")


def _write(path: Path, rows: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_the_first_sheet_is_read(tmp_path: Path) -> None:
    rows = pairs(4)
    path = _write(tmp_path / "data.xlsx", [list(rows[0]), *(list(row.values()) for row in rows)])
    assert preferences(load(path)) == preferences(load(write(tmp_path / "plain.jsonl", rows)))


def test_numbers_stay_numbers_and_empty_cells_are_missing(tmp_path: Path) -> None:
    head: list[object] = ["prompt", "chosen", "rejected", "chosen_score", "rejected_score"]
    path = _write(tmp_path / "data.xlsx", [head, ["p", "x", "y", 2.5, 1], [None] * 5, ["q", "x", "y", None, None]])
    made = preferences(load(path))
    assert [(pair.chosen_score, pair.rejected_score) for pair in made] == [(2.5, 1.0), (None, None)]


def test_what_is_no_sheet_is_said(tmp_path: Path) -> None:
    path = tmp_path / "data.xlsx"
    path.write_bytes(b"no zip at all")
    with pytest.raises(InputError, match="no Excel sheet"):
        load(path)
