"""The schema: made, brought up to date, refused when it is newer."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from tests.votes.made import answer, vote
from tiebreak.errors import InputError
from tiebreak.votes import open_votes
from tiebreak.votes.address import parse_address
from tiebreak.votes.connect import engine_for, writing
from tiebreak.votes.filters import VoteFilter
from tiebreak.votes.migrate import upgrade, version_of
from tiebreak.votes.rows import row_of, turns_of
from tiebreak.votes.tables import NEWEST, VERSION_TABLE, metadata


def _first_version(url: str, votes: int) -> None:
    """A store as the first version of the schema left it, with votes."""
    engine = engine_for(parse_address(url))
    with writing(engine) as connection:
        upgrade(connection, "0001")
        for number in range(votes):
            cast = vote(number, reason=f"reason {number}", right=answer("x", seed=None), edited="é")
            row = {name: value for name, value in row_of(cast, 0).items() if name != "changed"}
            names = ", ".join(row)
            connection.execute(text(f"INSERT INTO votes ({names}) VALUES (:{', :'.join(row)})"), row)
            for turn in turns_of(cast):
                names = ", ".join(turn)
                connection.execute(text(f"INSERT INTO vote_turns ({names}) VALUES (:{', :'.join(turn)})"), turn)
    engine.dispose()


def test_votes_of_the_first_version_are_all_there_after_the_migration(url: str) -> None:
    _first_version(url, 20)
    with open_votes(url, create=False) as store:
        assert [each.reason for each in store.every()] == [f"reason {number}" for number in range(20)]
        assert store.get(vote(3).id) == vote(3, reason="reason 3", right=answer("x", seed=None), edited="é")
        before = store.fingerprint()
        store.correct(vote(3).id, verdict="tie")
        assert store.history(vote(3).id)[0].verdict == "left"
        assert store.fingerprint() != before


def test_the_migrations_lead_to_the_tables_that_the_code_has(url: str) -> None:
    open_votes(url).close()
    engine = engine_for(parse_address(url))
    with writing(engine) as connection:
        assert version_of(connection) == NEWEST
        found = inspect(connection)
        assert set(found.get_table_names()) == {*metadata.tables, VERSION_TABLE}
        for name, table in metadata.tables.items():
            columns = {column["name"]: column for column in found.get_columns(name)}
            assert set(columns) == set(table.columns.keys())
            for column in table.columns:
                assert columns[column.name]["nullable"] == column.nullable, f"{name}.{column.name}"
            assert {index["name"] for index in found.get_indexes(name)} == {index.name for index in table.indexes}
            assert len(found.get_foreign_keys(name)) == len(table.foreign_keys)
    engine.dispose()


@pytest.mark.parametrize("version", ["0003", "9999", "abc"])
def test_a_newer_schema_is_refused_and_left_alone(url: str, version: str) -> None:
    with open_votes(url) as store:
        store.add(vote(1))
    engine = create_engine(parse_address(url).url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{version}'"))
    with pytest.raises(InputError, match=f"newer version of Tiebreak .schema {version}"):
        open_votes(url)
    with engine.begin() as connection:
        assert connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar() == version
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{NEWEST}'"))
    engine.dispose()
    with open_votes(url) as store:
        assert store.count() == 1


def test_a_migration_that_fails_leaves_everything_as_it_was(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _first_version(url, 3)
    engine = create_engine(parse_address(url).url)
    with engine.begin() as connection:  # in the way of the second migration, after its first steps
        connection.execute(text("CREATE TABLE vote_corrections (x INTEGER)"))
    with pytest.raises(Exception, match="vote_corrections"):
        open_votes(url)
    with engine.begin() as connection:
        assert "changed" not in {column["name"] for column in inspect(connection).get_columns("votes")}
        assert version_of(connection) == "0001"
        connection.execute(text("DROP TABLE vote_corrections"))
    engine.dispose()
    with open_votes(url) as store:
        assert store.count() == 3


def _open_and_add(url: str, number: int, gate: object, told: object) -> None:
    gate.wait()  # type: ignore[attr-defined]
    try:
        with open_votes(url) as store:
            told.put(store.add(vote(number)))  # type: ignore[attr-defined]
    except BaseException as error:  # noqa: BLE001  told to the parent
        told.put(repr(error))  # type: ignore[attr-defined]


@pytest.mark.parametrize("old", [False, True], ids=["empty", "first-version"])
def test_processes_that_open_at_once_migrate_once(url: str, old: bool) -> None:
    if old:
        _first_version(url, 0)
    context = multiprocessing.get_context("spawn")
    gate, told = context.Barrier(6), context.Queue()
    children = [context.Process(target=_open_and_add, args=(url, number, gate, told)) for number in range(6)]
    for child in children:
        child.start()
    assert [told.get(timeout=120) for _ in children] == [True] * 6
    for child in children:
        child.join()
    with open_votes(url, create=False) as store:
        assert store.count(VoteFilter()) == 6


def test_threads_that_open_at_once_migrate_once(url: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(6) as threads:
        stores = list(threads.map(lambda _: open_votes(url), range(6)))
    assert [store.add(vote(number)) for number, store in enumerate(stores)] == [True] * 6
    for store in stores:
        store.close()


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
