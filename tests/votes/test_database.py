"""What is committed is on the disk, and every failure of a database is one sentence without a password."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.votes.made import answer, vote
from tests.votes.postgres import SECRET, Server
from tests.votes.refused import refused
from tiebreak.errors import InputError, RunError
from tiebreak.votes import open_votes
from tiebreak.votes.filters import VoteFilter

VOTES = 200
KILLS = 10


def test_sqlite_flushes_every_commit(tmp_path: Path) -> None:
    with open_votes(str(tmp_path / "votes.db")) as store, store._database._engine.connect() as connection:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        values = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
        assert values == ["wal", 2, 1, 30_000]
    assert sqlite3.connect(tmp_path / "votes.db").execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_server_that_flushes_late_is_made_to_flush(postgres: Server) -> None:
    url = postgres.new_database()
    database = url.split("/")[3].partition("?")[0]
    postgres.run(database, f"ALTER DATABASE {database} SET synchronous_commit = off")
    with open_votes(url) as store, store._database._engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"


def _life(url: str, numbers: list[int], kill_after: int | None, wait: float) -> list[int]:
    """Run a server with clients that cast votes; kill it after so many acknowledgements; return those that came."""
    words = [sys.executable, "-m", "tests.votes.writer", url, *map(str, numbers)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        lines: list[bytes] = []
        for line in server.stdout:
            lines.append(line)
            if kill_after is not None and len(lines) > kill_after:  # the first line means that the store is open
                time.sleep(wait)
                os.kill(server.pid, signal.SIGKILL)
                break
        lines += server.stdout.readlines()
    assert (server.returncode == -signal.SIGKILL) == (b"done\n" not in lines)
    return [int(line) for line in lines if line.endswith(b"\n") and line[:1].isdigit()]


def test_no_acknowledged_vote_is_lost_and_none_is_kept_twice_over_ten_kills(url: str) -> None:
    draw = random.Random(7)
    pending, acknowledged = list(range(VOTES)), set[int]()
    kills = 0
    while kills < KILLS:
        came = _life(url, pending, kill_after=draw.randrange(12), wait=draw.random() * 0.01)
        kills += 1
        assert not acknowledged & set(came)
        acknowledged |= set(came)
        pending = [number for number in pending if number not in acknowledged]
        assert pending, "the server was too quick to be killed ten times"
        with open_votes(url, create=False) as store:
            kept = {int(each.id, 16) for each in store.every()}
            assert acknowledged <= kept
    # What was written and not acknowledged is cast again by its client, under the same id.
    acknowledged |= set(_life(url, pending, kill_after=None, wait=0))
    assert acknowledged == set(range(VOTES))
    with open_votes(url, create=False) as store:
        found = list(store.every(VoteFilter(withdrawn=None)))
    assert found == [vote(number, left=answer("word " * 500), reason=f"reason {number}") for number in range(VOTES)]


def test_another_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "votes.db"
    path.write_bytes(b"these are my notes, and no database\n" * 100)
    assert "not a SQLite database" in refused(str(path))
    assert path.read_bytes() == b"these are my notes, and no database\n" * 100


def test_damaged_pages_are_one_sentence_when_they_are_met(tmp_path: Path) -> None:
    path = tmp_path / "votes.db"
    with open_votes(str(path)) as store:
        for number in range(200):
            store.add(vote(number, reason="a reason " * 50))
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"), open_votes(str(path)) as store:
        list(store.every())


def test_settings_that_are_no_json_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "votes.db"
    with open_votes(str(path)) as store:
        store.add(vote(1))
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE votes SET left_sampling = '{'")
        with pytest.raises(InputError, match="damaged"):
            store.get(vote(1).id)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that an ordinary user can reach; the folders of pytest are root's alone where root runs it."""
    folder = Path(tempfile.mkdtemp(prefix="tiebreak-rights-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@contextmanager
def _ordinary_user() -> Iterator[None]:
    """Let the rights of files count, which they do not for root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_files_and_folders_without_the_right_to_write_are_refused(open_folder: Path) -> None:
    path = open_folder / "votes.db"
    open_votes(str(path)).close()
    hidden = open_folder / "hidden"
    hidden.mkdir(mode=0o000)
    path.chmod(0o444)
    open_folder.chmod(0o555)
    with _ordinary_user():
        assert "read-only" in refused(str(path))
        assert "no right" in refused(str(open_folder / "new.db"))
        assert "cannot be opened" in refused(str(hidden / "votes.db"))
    assert "cannot be opened" in refused(str(open_folder / ("long" * 200)))
    open_folder.chmod(0o755)
    hidden.chmod(0o755)


def test_a_database_that_is_kept_locked_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiebreak.votes.database.BUSY_SECONDS", 0.2)
    path = tmp_path / "votes.db"
    with open_votes(str(path)) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RunError, match="locked"):
            store.add(vote(1))
        other.execute("ROLLBACK")
        assert store.add(vote(1))


def test_a_full_disk_is_reported_and_keeps_the_votes_that_were_there(tmp_path: Path) -> None:
    path = tmp_path / "votes.db"
    with open_votes(str(path)) as store:
        store.add(vote(1))
        with store._database._engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(RunError, match="full"):
            store.add(vote(2, reason="x" * 10_000))
        assert [each.id for each in store.every()] == [vote(1).id]
    shutil.copy(path, tmp_path / "copy.db")
    with open_votes(str(tmp_path / "copy.db")) as store:
        assert store.count() == 1


def test_a_server_that_is_not_there_is_reported(tmp_path: Path) -> None:
    message = refused(f"postgresql+psycopg://u:topsecret@/votes?host={tmp_path}")
    assert "cannot be reached" in message
    assert "topsecret" not in message
    assert "cannot be reached" in refused("postgresql+psycopg://u:topsecret@127.0.0.1:1/votes")


def test_a_wrong_password_a_wrong_user_and_a_wrong_database_are_reported(postgres: Server) -> None:
    socket = postgres.url("x").partition("host=")[2]
    postgres.run("postgres", "GRANT ALL ON SCHEMA public TO guarded")
    for password in ("wrong-" + SECRET, ""):
        message = refused(f"postgresql+psycopg://guarded:{password}@/postgres?host={socket}")
        assert "refuses the user or the password" in message
        assert SECRET not in message
    assert "no such database" in refused(postgres.url("nowhere"))
    assert "no such user" in refused(postgres.url("postgres", user="nobody_known"))


def test_the_right_password_opens_and_stands_in_no_name(postgres: Server) -> None:
    database = postgres.new_database().split("/")[3].partition("?")[0]
    postgres.run(database, "GRANT ALL ON SCHEMA public TO guarded")
    socket = postgres.url("x").partition("host=")[2]
    with open_votes(f"postgresql+psycopg://guarded:{SECRET}@/{database}?host={socket}") as store:
        assert store.add(vote(1))
        assert SECRET not in store.name
        assert SECRET not in repr(store)


def test_a_database_without_every_letter_is_refused(postgres: Server) -> None:
    url = postgres.new_database(ENCODING="'LATIN1'", TEMPLATE="template0", LOCALE="'C'")
    assert "LATIN1" in refused(url)


def test_a_connection_that_the_server_ended_is_replaced(postgres: Server) -> None:
    url = postgres.new_database()
    database = url.split("/")[3].partition("?")[0]
    with open_votes(url) as store:
        store.add(vote(1))
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
        postgres.run("postgres", f"{end}'{database}'")
        assert store.add(vote(2))
        assert store.count() == 2
