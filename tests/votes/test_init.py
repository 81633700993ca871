"""Opening a store: what is not there is not made by looking, and nothing heavy is loaded before."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.votes.refused import refused


def test_a_store_that_is_not_there_is_not_made_by_looking(tmp_path: Path) -> None:
    assert "There is no file" in refused(str(tmp_path / "votes.db"), create=False)
    assert list(tmp_path.iterdir()) == []
    sqlite3.connect(tmp_path / "other.db").close()
    (tmp_path / "other.db").touch()
    assert "no votes here" in refused(str(tmp_path / "other.db"), create=False)


def test_a_folder_or_a_path_through_nothing_is_refused(tmp_path: Path) -> None:
    assert "folder, not a votes store" in refused(str(tmp_path))
    assert "no such folder" in refused(str(tmp_path / "nowhere" / "votes.db"))


def test_the_room_is_light_until_a_store_is_opened() -> None:
    probe = (
        "import sys, tiebreak.votes, tiebreak.votes.tally, tiebreak.votes.pairs, tiebreak.votes.export;"
        "heavy = {'torch', 'gradio', 'sqlalchemy', 'alembic', 'datasets', 'tiebreak.data'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_store_needs_neither_torch_nor_the_data_room(tmp_path: Path) -> None:
    probe = (
        f"import sys; from tiebreak.votes import open_votes; open_votes({str(tmp_path / 'v.db')!r}).close();"
        "print(sorted({'torch', 'gradio', 'datasets', 'tiebreak.data', 'psycopg'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
