"""A result appears whole or not at all, whoever writes it and however that ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.data.files import load, pairs, write
from tiebreak.data import cache
from tiebreak.data.load import load_preferences
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError, RunError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(tmp_path / "cache"))


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
