"""What cannot be opened is refused with one sentence, and a password is never in it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.votes.made import vote
from tests.votes.postgres import SECRET, Server
from tiebreak.errors import InputError, RunError, TiebreakError
from tiebreak.votes import open_votes
from tiebreak.votes.address import parse_address


def _refused(url: str, kind: type[TiebreakError] = InputError, **options: bool) -> str:
    with pytest.raises(kind) as error:
        open_votes(url, **options)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None
    assert "\n" not in error.value.what
    return str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sqlite://",
        "sqlite:///",
        ":memory:",
        "sqlite:///:memory:",
        "sqlite:votes.db",
        "sqlite://votes.db",
        "sqlite:///votes.db?mode=ro",
        "mysql://root:topsecret@host/votes",
        "postgresql+asyncpg://u:topsecret@host/votes",
        "postgresql://u:topsecret@host:port/votes",
        "postgresql://u:top@topsecret@host/votes",
        "postgresql://u:topsecret/x@host/votes",
        "http://topsecret@x",
    ],
)
def test_an_address_that_is_none_is_refused_without_being_repeated(url: str) -> None:
    said = _refused(url)
    assert "topsecret" not in said
    assert "what to do" in said


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:topsecret@host:5433/votes", "postgresql+psycopg://u:***@host:5433/votes"),
        ("postgresql://u:top%40secret@host/votes", "postgresql+psycopg://u:***@host/votes"),
        ("postgres://u@host/votes?password=topsecret", "postgresql+psycopg://u@host/votes"),
        (
            "postgresql+psycopg://u@/votes?host=/run/x&sslpassword=topsecret",
            "postgresql+psycopg://u@/votes?host=/run/x",
        ),
        ("sqlite:////srv/votes.db", "/srv/votes.db"),
        ("sqlite:///votes 100%20.db", "votes 100%20.db"),
        ("votes.db", "votes.db"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    address = parse_address(url)
    assert address.shown == shown
    assert address.password == ("secret" in url)
    assert "secret" not in repr(address.url.set(query={}))


def test_a_store_that_is_not_there_is_not_made_by_looking(tmp_path: Path) -> None:
    assert "There is no file" in _refused(str(tmp_path / "votes.db"), create=False)
    assert list(tmp_path.iterdir()) == []
    sqlite3.connect(tmp_path / "other.db").close()
    (tmp_path / "other.db").touch()
    assert "no votes here" in _refused(str(tmp_path / "other.db"), create=False)


def test_a_folder_or_a_path_through_nothing_is_refused(tmp_path: Path) -> None:
    assert "folder, not a file" in _refused(str(tmp_path))
    assert "no such folder" in _refused(str(tmp_path / "nowhere" / "votes.db"))


def test_another_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "votes.db"
    path.write_bytes(b"these are my notes, and no database\n" * 100)
    assert "no SQLite database" in _refused(str(path))
    assert path.read_bytes() == b"these are my notes, and no database\n" * 100


def test_a_table_of_somebody_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE votes (candidate TEXT)")
    assert "not Tiebreak's" in _refused(str(path))
    with sqlite3.connect(path) as connection:
        assert [name for (name,) in connection.execute("SELECT name FROM sqlite_master")] == ["votes"]


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
        assert "read-only" in _refused(str(path))
        assert "no right" in _refused(str(open_folder / "new.db"))
        assert "cannot be opened" in _refused(str(hidden / "votes.db"))
    assert "cannot be opened" in _refused(str(open_folder / ("long" * 200)))
    open_folder.chmod(0o755)
    hidden.chmod(0o755)


def test_a_database_that_is_kept_locked_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiebreak.votes.connect.BUSY_SECONDS", 0.2)
    path = tmp_path / "votes.db"
    with open_votes(str(path)) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RunError, match="locked"):
            store.add(vote(1))
        other.execute("ROLLBACK")
        assert store.add(vote(1))


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    said = _refused(f"postgresql+psycopg://u:topsecret@/votes?host={tmp_path}")
    assert "cannot be reached" in said
    assert "topsecret" not in said
    assert "cannot be reached" in _refused("postgresql+psycopg://u:topsecret@127.0.0.1:1/votes")


def test_a_wrong_password_a_wrong_user_and_a_wrong_database_are_told(postgres: Server) -> None:
    socket = postgres.url("x").partition("host=")[2]
    postgres.run("postgres", "GRANT ALL ON SCHEMA public TO guarded")
    for password in ("wrong-" + SECRET, ""):
        said = _refused(f"postgresql+psycopg://guarded:{password}@/postgres?host={socket}")
        assert "refuses the user or the password" in said
        assert SECRET not in said
    assert "no such database" in _refused(postgres.url("nowhere"))
    assert "no such user" in _refused(postgres.url("postgres", user="nobody_known"))


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
    assert "LATIN1" in _refused(url)


def test_a_server_that_flushes_late_is_told_to_flush(postgres: Server) -> None:
    url = postgres.new_database()
    database = url.split("/")[3].partition("?")[0]
    postgres.run(database, f"ALTER DATABASE {database} SET synchronous_commit = off")
    with open_votes(url) as store, store._engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"


def test_a_connection_that_the_server_ended_is_replaced(postgres: Server) -> None:
    url = postgres.new_database()
    database = url.split("/")[3].partition("?")[0]
    with open_votes(url) as store:
        store.add(vote(1))
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
        postgres.run("postgres", f"{end}'{database}'")
        assert store.add(vote(2))
        assert store.count() == 2


def test_a_missing_extra_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiebreak.votes.opening.find_spec", lambda name: None if name == "alembic" else True)
    said = _refused(str(tmp_path / "votes.db"))
    assert "alembic" in said
    assert "tiebreak[serve]" in said


def test_a_full_disk_is_told_and_keeps_the_votes_that_were_there(tmp_path: Path) -> None:
    path = tmp_path / "votes.db"
    with open_votes(str(path)) as store:
        store.add(vote(1))
        with store._engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(RunError, match="full"):
            store.add(vote(2, reason="x" * 10_000))
        assert [each.id for each in store.every()] == [vote(1).id]
    shutil.copy(path, tmp_path / "copy.db")
    with open_votes(str(tmp_path / "copy.db")) as store:
        assert store.count() == 1
