"""CSV files; Parquet and Arrow are read by the tests of sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.files import load, preferences, write
from tiebreak.errors import InputError


def test_a_cell_longer_than_the_csv_module_allows_is_read(tmp_path: Path) -> None:
    long = "x" * 500_000
    path = write(tmp_path / "long.csv", [{"prompt": "p", "chosen": long, "rejected": "r"}])
    assert preferences(load(path))[0].chosen == long


def _refused(path: Path, **settings: object) -> str:
    with pytest.raises(InputError) as error:
        load(path, **settings)
    assert error.value.exit_code == 2
    return str(error.value)


def test_a_csv_row_of_another_width_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("prompt,chosen,rejected\na,b,c\nd,e\nf,g,h\n")
    said = _refused(path)
    assert "data.csv:2" in said
    assert "3 columns" in said
    assert load(path, skip_bad_rows=True).report.pairs == 2
    path.write_bytes(b"prompt,chosen,rejected\na,b,c\nd,\xff,f\nf,g,h\n")
    assert "not UTF-8" in _refused(path)
    assert load(path, skip_bad_rows=True).report.pairs == 2


def test_an_empty_csv_cell_is_a_missing_value(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("prompt,chosen,rejected\na,b,c\nd,,f\n")
    assert "'chosen': expected text, found null" in _refused(path)


@pytest.mark.parametrize(
    ("name", "between", "said"),
    [
        ("a.csv", ";", "semicolons"),
        ("a.csv", "\t", "tabs"),
        ("a.csv", "|", "upright strokes"),
        ("a.tsv", "\t", "tabs"),
        ("a.tsv", ",", None),
    ],
)
def test_what_parts_the_cells_is_seen_in_the_header_and_said(
    tmp_path: Path, name: str, between: str, said: str | None
) -> None:
    path = tmp_path / name
    cells = [["prompt", "chosen", "rejected"], ['"a, b; c"', "d", "e"], ["f", "g", "h"]]
    path.write_text("\n".join(between.join(row) for row in cells) + "\n")
    loaded = load(path)
    assert [(pair.prompt[0].content, pair.chosen) for pair in preferences(loaded)] == [("a, b; c", "d"), ("f", "g")]
    assert [str(said) in note for note in loaded.report.notes] == ([True] if said else [])


def test_a_csv_of_one_column_is_read_by_commas(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("prompt\nx\n")
    assert "have the columns 'prompt'" in _refused(path)
