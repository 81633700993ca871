from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.files import load, pairs, preferences, write
from tiebreak.data.bytestreams import open_bytes
from tiebreak.data.json_array import read_json
from tiebreak.errors import InputError

FORMS = [".jsonl", ".json", ".csv", ".parquet", ".arrow"]


@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_file_gives_the_same_pairs(tmp_path: Path, form: str, compression: str) -> None:
    rows = [*pairs(700), {"prompt": "über\nzwei Zeilen, «ja»", "chosen": '"quoted", yes', "rejected": "日本\r\nno"}]
    plain = load(write(tmp_path / "plain.jsonl", rows))
    other = load(write(tmp_path / f"other{form}{compression}", rows))
    assert preferences(other) == preferences(plain)
    assert other.report.rows == other.report.pairs == 701


def test_a_folder_of_shards_is_read_in_order_and_its_split_is_chosen(tmp_path: Path) -> None:
    write(tmp_path / "train-00000-of-00002.parquet", pairs(3, "first"))
    write(tmp_path / "train-00001-of-00002.parquet", pairs(2, "second"))
    write(tmp_path / "test-00000-of-00001.parquet", pairs(4, "held"))
    (tmp_path / "README.md").write_text("about")
    (tmp_path / "dataset_info.json").write_text("{}")
    loaded = load(tmp_path)
    assert [each.prompt[0].content for each in preferences(loaded)] == [
        *(f"first {i}" for i in range(3)),
        *(f"second {i}" for i in range(2)),
    ]
    assert loaded.report.splits == ("test", "train")
    from tiebreak.data.load import load_preferences

    assert load_preferences(loaded.spec.of_split("test")).report.pairs == 4
    with pytest.raises(InputError, match="no split 'validation'") as error:
        load_preferences(loaded.spec.of_split("validation"))
    assert "test, train" in str(error.value)


def test_a_folder_of_a_folder_is_chosen_by_data_dir(tmp_path: Path) -> None:
    write(tmp_path / "harmless" / "train.jsonl.gz", pairs(2))
    write(tmp_path / "helpful" / "train.jsonl.gz", pairs(5))
    from tiebreak.data.load import load_preferences
    from tiebreak.data.sources import SourceSpec

    assert load_preferences(SourceSpec(str(tmp_path), data_dir="helpful")).report.pairs == 5
    with pytest.raises(InputError, match="no folder 'helpfull'") as error:
        load_preferences(SourceSpec(str(tmp_path), data_dir="helpfull"))
    assert "did you mean 'helpful'" in str(error.value)


def test_files_of_no_split_are_not_mixed_with_train_and_test_is_never_taken_for_it(tmp_path: Path) -> None:
    write(tmp_path / "red_team.jsonl", [{"other": 1}])
    write(tmp_path / "one" / "train.jsonl", pairs(2))
    assert load(tmp_path).report.pairs == 2
    write(tmp_path / "two" / "votes.jsonl", pairs(3))
    write(tmp_path / "two" / "test.jsonl", pairs(4))
    assert load(tmp_path / "two").report.pairs == 3
    (tmp_path / "two" / "votes.jsonl").rename(tmp_path / "two" / "validation.jsonl")
    with pytest.raises(InputError, match="several splits"):
        load(tmp_path / "two")


def test_a_folder_that_datasets_saved_is_read(tmp_path: Path) -> None:
    from datasets import Dataset

    Dataset.from_list(pairs(6)).save_to_disk(str(tmp_path / "saved"))
    assert load(tmp_path / "saved").report.pairs == 6


def test_marks_and_line_ends_of_other_systems_are_passed_over(tmp_path: Path) -> None:
    lines = [json.dumps(row) for row in pairs(3)]
    path = tmp_path / "windows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n\r\n".join(lines).encode() + b"\r\n  \r\n")
    assert preferences(load(path)) == preferences(load(write(tmp_path / "plain.jsonl", pairs(3))))
    spreadsheet = tmp_path / "windows.csv"
    spreadsheet.write_bytes(b'\xef\xbb\xbfprompt,chosen,rejected\r\n"a, b","c\r\nd",e\r\n\r\nf,g,h\r\n')
    assert [(each.prompt[0].content, each.chosen) for each in preferences(load(spreadsheet))] == [
        ("a, b", "c\r\nd"),
        ("f", "g"),
    ]


def test_json_lines_under_the_name_json_are_read(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text("".join(json.dumps(row) + "\n" for row in pairs(4)))
    assert load(path).report.pairs == 4


def test_a_cell_longer_than_the_csv_module_allows_is_read(tmp_path: Path) -> None:
    long = "x" * 500_000
    path = write(tmp_path / "long.csv", [{"prompt": "p", "chosen": long, "rejected": "r"}])
    assert preferences(load(path))[0].chosen == long


def test_a_text_with_a_nul_keeps_it(tmp_path: Path) -> None:
    path = write(tmp_path / "nul.jsonl", [{"prompt": "p", "chosen": "a\0b", "rejected": "r"}])
    assert preferences(load(path))[0].chosen == "a\0b"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.text(max_size=5), st.text(alphabet='aé日😀"\\[]{},\n', max_size=30), max_size=4), max_size=20
    ),
    st.integers(1, 40),
    st.sampled_from([None, 1]),
)
def test_a_json_array_is_read_piece_by_piece_whatever_the_pieces(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]], chunk: int, indent: int | None
) -> None:
    path = tmp_path_factory.mktemp("array") / "data.json"
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=indent), encoding="utf-8")
    from tiebreak.data import json_array

    before, json_array._CHUNK = json_array._CHUNK, chunk
    try:
        with open_bytes(path, "data.json") as stream:
            assert [row.values for row in read_json(stream, _never)] == rows
    finally:
        json_array._CHUNK = before


def _never(error: InputError) -> None:
    raise error
