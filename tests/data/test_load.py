"""Reading a source once, and finding the result again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.data.files import load, pairs, preferences, unpaired, write
from tiebreak.data.load import load_as_it_is, load_preferences
from tiebreak.data.preference import Preference
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(tmp_path / "cache"))


def test_the_columns_are_those_of_the_canonical_row_and_the_rows_are_memory_mapped(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "data.jsonl", pairs(3)))
    row = Preference((), "", "").to_row()
    assert loaded.dataset.column_names == list(row)
    assert loaded.dataset.features == Preference.features()
    assert loaded.dataset.cache_files


def test_a_second_reading_takes_the_first_ones_result_and_a_changed_file_does_not(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", pairs(3))
    first, second = load(path), load(path)
    assert second.fingerprint == first.fingerprint
    assert second.report == first.report
    assert second.recognition == first.recognition
    assert second.dataset.cache_files == first.dataset.cache_files
    write(path, pairs(4))
    third = load(path)
    assert third.fingerprint != first.fingerprint
    assert third.report.pairs == 4
    assert load(path, schema="text").fingerprint != third.fingerprint


def test_a_limit_reads_the_first_rows_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", pairs(100))
    with path.open("a") as file:
        file.write("this is no row\n")
    assert load(path, max_rows=10).report.rows == 10
    with pytest.raises(InputError):
        load(path)


def test_progress_is_reported_up_to_the_end(tmp_path: Path) -> None:
    shares: list[float] = []
    load(write(tmp_path / "data.jsonl", pairs(2000)), on_progress=shares.append)
    assert len(shares) > 3
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_ids_and_scores_and_weights_survive(tmp_path: Path) -> None:
    row = {
        **pairs(1)[0],
        "id": "x",
        "weight": 0.5,
        "score_chosen": "3.5",
        "score_rejected": float("nan"),
    }
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(row) + "\n")
    (pair,) = preferences(load(path))
    assert (pair.id, pair.weight, pair.chosen_score, pair.rejected_score) == ("x", 0.5, 3.5, None)


def test_a_source_is_read_for_the_task_that_it_suits(tmp_path: Path) -> None:
    rows = {
        "preference": pairs(1)[0],
        "unpaired": {"prompt": "2+2?", "completion": "4", "label": True},
        "supervised": {"prompt": "2+2?", "completion": "4"},
    }
    for kind, row in rows.items():
        loaded = load_as_it_is(SourceSpec(str(write(tmp_path / f"{kind}.jsonl", [row]))))
        assert loaded.task == kind


def test_one_source_read_for_two_tasks_is_kept_twice(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", pairs(3))
    as_pairs, as_answers = load_preferences(SourceSpec(str(path))), unpaired(path)
    assert as_pairs.fingerprint != as_answers.fingerprint
    assert (len(as_pairs.dataset), len(as_answers.dataset)) == (3, 6)
