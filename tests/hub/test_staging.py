"""What will be uploaded lies in a folder of its own: named, measured, kept whole if asked for, and else gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tiebreak.errors import InputError, RunError
from tiebreak.hub import staging
from tiebreak.hub.staging import Staged, StagedFile, keep, staged, staging_folder


def filled(folder: Path) -> Path:
    (folder / "model").mkdir(parents=True)
    (folder / "README.md").write_text("card")
    (folder / "model" / "weights").write_bytes(b"0123456789")
    return folder


def test_files_are_listed_by_their_path_with_their_size(tmp_path: Path) -> None:
    found = staged(filled(tmp_path / "out"), ["a note"])
    assert found.files == (StagedFile("README.md", 4), StagedFile("model/weights", 10))
    assert found.notes == ("a note",)


def test_a_link_counts_as_the_file_behind_it(tmp_path: Path) -> None:
    large, folder = tmp_path / "large", tmp_path / "out"
    large.write_bytes(b"0" * 1000)
    folder.mkdir()
    (folder / "weights").symlink_to(large)
    found = staged(folder)
    assert found.files == (StagedFile("weights", 1000),)
    keep(found, tmp_path / "kept")
    assert not (tmp_path / "kept" / "weights").is_symlink()
    assert (tmp_path / "kept" / "weights").read_bytes() == large.read_bytes()


def test_a_file_larger_than_the_hub_takes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "LARGEST_FILE", 9)
    with pytest.raises(InputError, match="at most 50 GB a file") as refused:
        staged(filled(tmp_path / "out"))
    assert refused.value.where == "model/weights"


@pytest.mark.parametrize("fails", [False, True])
def test_a_staging_folder_is_gone_after_its_block(fails: bool, tmp_path: Path) -> None:
    def use() -> Path:
        with staging_folder(tmp_path) as folder:
            assert folder.parent == tmp_path
            filled(folder / "inner")
            if fails:
                raise InputError("No.")
            return folder

    if fails:
        with pytest.raises(InputError):
            use()
    else:
        assert not use().exists()
    assert not list(tmp_path.iterdir())


def test_what_a_killed_push_left_is_removed_and_another_s_work_is_not(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left, used, other = (tmp_path / name for name in (f".push-{dead.pid}-a", f".push-{os.getpid()}-b", ".push-note"))
    for folder in (left, used, other):
        folder.mkdir()
    with staging_folder(tmp_path):
        pass
    assert sorted(tmp_path.iterdir()) == sorted([used, other])


def test_beside_what_cannot_be_written_the_system_s_folder_serves(tmp_path: Path) -> None:
    with staging_folder(tmp_path / "none") as folder:
        assert folder.is_dir()
        assert folder.parent != tmp_path / "none"
    assert not folder.exists()


def test_a_full_disk_says_what_to_do(tmp_path: Path) -> None:
    def fill() -> None:
        with staging_folder(tmp_path):
            raise OSError(28, "No space left on device", str(tmp_path / "x"))

    with pytest.raises(RunError, match="No space left on device") as failed:
        fill()
    assert "free some disk" in str(failed.value.fix)


def test_a_dry_run_s_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    found = staged(filled(tmp_path / "out"))
    keep(found, tmp_path / "kept")
    assert staged(tmp_path / "kept").files == found.files
    missing = Staged(tmp_path / "out", (*found.files, StagedFile("none", 1)))
    with pytest.raises(RunError, match="cannot be written"):
        keep(missing, tmp_path / "other")
    assert not (tmp_path / "other").exists()
