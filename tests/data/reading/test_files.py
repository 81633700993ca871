"""Which files a path stands for, and which split each belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets import Dataset

from tests.data.files import load, pairs, preferences, write
from tiebreak.data.load import load_preferences
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError


def _refused(path: Path, **settings: object) -> str:
    with pytest.raises(InputError) as error:
        load(path, **settings)
    assert error.value.exit_code == 2
    return str(error.value)


def test_a_file_that_is_not_there_is_answered_with_near_names(tmp_path: Path) -> None:
    write(tmp_path / "preferences.jsonl", pairs(1))
    said = _refused(tmp_path / "preferance.jsonl")
    assert "There is no file" in said
    assert "'preferences.jsonl'" in said
    assert "no folder" in _refused(tmp_path / "nowhere" / "x.jsonl")


def test_a_wrong_extension_names_the_right_ones(tmp_path: Path) -> None:
    path = tmp_path / "data.txt"
    path.write_text("{}")
    assert ".jsonl" in _refused(path)
    empty = tmp_path / "folder"
    empty.mkdir()
    (empty / "notes.md").write_text("x")
    assert "no file that can be read" in _refused(empty)


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

    assert load_preferences(loaded.spec.of_split("test")).report.pairs == 4
    with pytest.raises(InputError, match="no split 'validation'") as error:
        load_preferences(loaded.spec.of_split("validation"))
    assert "test, train" in str(error.value)


def test_a_folder_of_a_folder_is_chosen_by_data_dir(tmp_path: Path) -> None:
    write(tmp_path / "harmless" / "train.jsonl.gz", pairs(2))
    write(tmp_path / "helpful" / "train.jsonl.gz", pairs(5))

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

    Dataset.from_list(pairs(6)).save_to_disk(str(tmp_path / "saved"))
    assert load(tmp_path / "saved").report.pairs == 6
    saved = Dataset.load_from_disk(str(tmp_path / "saved"))
    saved.map(lambda row: {**row, "chosen": "changed"})
    assert list((tmp_path / "saved").glob("cache-*.arrow"))
    assert load(tmp_path / "saved").report.pairs == 6


def test_splits_of_two_words_are_splits_of_their_own(tmp_path: Path) -> None:
    for count, split in enumerate(("train_prefs", "train_sft", "train_gen", "test_prefs", "test_sft"), 2):
        write(tmp_path / "data" / f"{split}-00000-of-00001.parquet", pairs(count))
    loaded = load(tmp_path)
    assert loaded.report.pairs == 2
    assert loaded.report.splits == ("test_prefs", "test_sft", "train_gen", "train_prefs", "train_sft")
    for count, split in enumerate(("train_prefs", "train_sft", "train_gen", "test_prefs"), 2):
        assert load_preferences(SourceSpec(str(tmp_path), split=split)).report.pairs == count
    with pytest.raises(InputError, match="no split 'train'"):
        load_preferences(SourceSpec(str(tmp_path), split="train"))


def test_words_after_a_split_that_say_nothing_leave_it_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "train_1.jsonl", pairs(2))
    write(tmp_path / "train_data.jsonl", pairs(3, "other"))
    assert load(tmp_path).report.splits == ("train",)


def test_files_of_no_split_beside_train_are_named(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", pairs(2))
    write(tmp_path / "test.jsonl", pairs(2))
    write(tmp_path / "more.jsonl", pairs(2))
    loaded = load(tmp_path)
    assert (loaded.report.pairs, loaded.report.passed_over) == (2, ("more.jsonl",))


@pytest.mark.parametrize(
    "form", [".jsonl", ".json", ".csv", ".parquet", ".arrow", ".jsonl.gz", ".csv.zst", ".parquet.gz"]
)
def test_a_file_without_an_extension_is_read_by_its_content(tmp_path: Path, form: str) -> None:
    path = write(tmp_path / f"rows{form}", pairs(3))
    bare = path.rename(tmp_path / "rows")
    assert load(bare).report.pairs == 3


def test_a_compressed_file_without_another_extension_is_read_by_its_content(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl.gz", pairs(3))
    assert load(path.rename(tmp_path / "rows.gz")).report.pairs == 3


def test_a_file_without_an_extension_that_holds_no_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("only words")
    assert "of no known format" in _refused(tmp_path / "notes")


def test_a_pattern_names_files_in_order(tmp_path: Path) -> None:
    write(tmp_path / "shards" / "train-2.parquet", pairs(2, "second"))
    write(tmp_path / "shards" / "train-1.parquet", pairs(1, "first"))
    write(tmp_path / "shards" / "test-1.parquet", pairs(4, "held"))
    loaded = load(tmp_path / "shards" / "train-*.parquet")
    assert [each.prompt[0].content for each in preferences(loaded)] == ["first 0", "second 0", "second 1"]
    assert load(tmp_path / "**" / "t*-[12].parquet").report.pairs == 7
    assert "No file is named" in _refused(tmp_path / "shards" / "nothing-*.parquet")
