from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.data.files import load, pairs, preferences, write
from tiebreak.data import cache
from tiebreak.data.load import load_preferences, preference_features
from tiebreak.data.preference import Preference
from tiebreak.data.sources import BUNDLED, SourceSpec
from tiebreak.errors import InputError, RunError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(tmp_path / "cache"))


def test_the_columns_are_those_of_the_canonical_row_and_the_rows_are_memory_mapped(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "data.jsonl", pairs(3)))
    row = Preference((), "", "").to_row()
    assert loaded.dataset.column_names == list(row)
    assert loaded.dataset.features == preference_features()
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


def test_progress_is_told_up_to_the_end(tmp_path: Path) -> None:
    shares: list[float] = []
    load(write(tmp_path / "data.jsonl", pairs(2000)), on_progress=shares.append)
    assert len(shares) > 3
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_failed_reading_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text("no row\n")
    with pytest.raises(InputError):
        load(path)
    assert list(cache.cache_folder().iterdir()) == []


def test_an_entry_that_was_half_removed_is_made_again(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", pairs(3))
    first = load(path)
    Path(first.dataset.cache_files[0]["filename"]).unlink()
    assert load(path).report.pairs == 3


def _read(path: str) -> int:
    return load_preferences(SourceSpec(path)).report.pairs


def test_two_processes_at_once_do_no_harm(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", pairs(3000))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(_read, [str(path)] * 4) == [3000] * 4
    assert len(list(cache.cache_folder().iterdir())) == 1


def test_a_reading_that_is_killed_leaves_nothing_that_is_taken_for_a_result(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", pairs(60_000))
    script = f"from tiebreak.data.load import *; load_preferences(SourceSpec({str(path)!r}))"
    process = subprocess.Popen([sys.executable, "-c", script], env=dict(os.environ))
    folder = cache.cache_folder()
    deadline = time.monotonic() + 60
    while not list(folder.glob(".draft-*/rows.arrow")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [entry.name[:7] for entry in folder.iterdir()] == [".draft-"]
    assert load(path).report.pairs == 60_000


def test_a_cache_that_cannot_be_written_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TIEBREAK_CACHE", str(tmp_path / "file"))
    with pytest.raises(RunError, match="cannot be written"):
        load(write(tmp_path / "data.jsonl", pairs(1)))


def test_the_bundled_preferences_are_read() -> None:
    from tiebreak.bundled import preferences_path

    if not preferences_path("train").is_file():
        pytest.skip("the bundled preferences are not built")
    train, held_out = (load_preferences(SourceSpec(BUNDLED, split=split)) for split in ("train", "held_out"))
    assert train.recognition.schema == "tiebreak"
    assert len(train.dataset) > len(held_out.dataset) > 0


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
