"""Where a search is kept: what is half is cut off, what cannot be reached is a sentence, and no secret is said."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sweep.made import begun, searched
from tiebreak.errors import InputError, RunError
from tiebreak.sweep import storage as module
from tiebreak.sweep.begin import begin
from tiebreak.sweep.folder import SweepFolder
from tiebreak.sweep.storage import cut_half_line, server_url, sqlite_url, using_storage
from tiebreak.sweep.study import Study

GRID = {"train.seed": [1, 2, 3]}


@pytest.mark.parametrize("storage", ["mysql://host/db", "study.db", "postgresql://", "redis://x"])
def test_an_address_that_is_none_is_refused_before_a_folder_is_made(tmp_path: Path, storage: str) -> None:
    with pytest.raises(InputError, match="not understood"):
        begin(searched(GRID, {"model": "bundled:base", "data": "bundled:preferences"}, storage=storage), tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_a_server_that_is_not_there_is_a_sentence_and_leaves_no_folder(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    base = {"model": "bundled:base", "data": "bundled:preferences"}
    with pytest.raises(RunError, match="cannot be reached") as caught:
        begin(searched(GRID, base, storage="postgresql://nobody@127.0.0.1:9/none"), tmp_path / "s")
    assert not (tmp_path / "s").exists()
    assert "nobody" not in caught.value.what


@pytest.mark.parametrize("address", ["postgresql://me:secret@host/db", "postgresql://me@host/db?password=secret"])
def test_a_password_does_not_get_into_a_recipe(address: str) -> None:
    with pytest.raises(InputError, match="a password") as caught:
        server_url(address)
    assert "secret" not in str(caught.value)


def test_addresses_are_those_of_the_drivers(tmp_path: Path) -> None:
    for kind in ("postgres", "postgresql", "postgresql+psycopg"):
        assert server_url(f"{kind}://me@host/db") == "postgresql+psycopg://me@host/db"
    assert sqlite_url(tmp_path / "study.sqlite") == f"sqlite:///file:{tmp_path}/study.sqlite?uri=true"


def test_any_name_of_a_folder_will_do_for_sqlite(tmp_path: Path) -> None:
    recipe = searched(GRID, storage="sqlite")
    folder = SweepFolder.create(recipe, tmp_path / "odd ?#%x {ü} &y=1")
    plan, _ = begun(tmp_path, recipe)
    assert Study(plan, folder).next() == 0
    assert sqlite3.connect(folder.database_path).execute("select count(*) from trials").fetchone() == (3,)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([folder.path.name, "search"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b""),
        (b"a\nb\n", b"a\nb\n"),
        (b"a\nb", b"a\n"),
        (b"half", b""),
        (b"a\n" + b"x" * 200_000, b"a\n"),
    ],
)
def test_a_line_without_an_end_is_cut_off(before: bytes, after: bytes, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(before)
    cut_half_line(file)
    assert file.read_bytes() == after
    cut_half_line(tmp_path / "none")


def test_a_journal_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    plan, folder = begun(tmp_path, searched(GRID))
    study = Study(plan, folder)
    assert study.next() == 0
    study.finish(0, [[0.5]])
    whole = folder.journal_path.read_bytes()
    folder.journal_path.write_bytes(whole[:-20])
    for _ in range(2):  # the second one reads what the first one wrote
        again = Study(plan, folder)
        assert [trial.state for trial in again.trials()] == ["running", "waiting", "waiting"]
    again.finish(0, [[0.5]])
    assert [trial.state for trial in Study(plan, folder).trials()] == ["finished", "waiting", "waiting"]


def test_a_worker_that_is_killed_while_it_writes_holds_nobody_up(tmp_path: Path) -> None:
    plan, folder = begun(tmp_path, searched(GRID))
    Study(plan, folder)
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from tiebreak.sweep.folder import SweepFolder\n"
        "from tiebreak.sweep.plan import plan_sweep\n"
        "from tiebreak.sweep.study import Study\n"
        "folder = SweepFolder(Path(sys.argv[1]))\n"
        "study = Study(plan_sweep(folder.recipe()), folder)\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "study.next()\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(folder.path)], check=False, timeout=120)
    assert done.returncode == -9
    assert Study(plan, folder).trials()[0].state in ("running", "waiting")


@pytest.mark.parametrize(("number", "said"), [(errno.ENOSPC, "The disk is full"), (errno.EROFS, "cannot be kept")])
def test_what_the_disk_does_not_take_is_a_sentence(number: int, said: str) -> None:
    with pytest.raises(RunError, match=said) as caught, using_storage("here"):
        raise OSError(number, os.strerror(number))
    assert "the same command goes on" in str(caught.value.fix)


def test_missing_libraries_are_named_with_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "optuna" else object())
    with pytest.raises(InputError, match="needs optuna: not installed") as caught:
        module.need_optuna()
    assert caught.value.fix == 'pip install "tiebreak[sweep]"'
