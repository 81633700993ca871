"""The schema: made, brought up to date, refused when it is newer or somebody else's."""

from __future__ import annotations

import multiprocessing
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from tests.votes.made import answer, answering, asked, vote
from tests.votes.refused import refused
from tiebreak.errors import InputError
from tiebreak.votes import open_votes
from tiebreak.votes.address import parse_address
from tiebreak.votes.database import engine_for, writing
from tiebreak.votes.filters import VoteFilter
from tiebreak.votes.migrate import upgrade, version_of
from tiebreak.votes.rows import row_of, turns_of
from tiebreak.votes.tables import NEWEST, VERSION_TABLE, metadata
from tiebreak.votes.voters import new_voter, voter_of

# Columns of `votes` that came with later versions.
_LATER = {"changed", "left_before", "right_before", "withdrawn_by", "revision", "comparison"}


def _first_version(url: str, votes: int, voters: tuple[str, ...] = ("voter-1",)) -> None:
    """A store as the first version of the schema left it, with votes."""
    engine = engine_for(parse_address(url))
    with writing(engine) as connection:
        upgrade(connection, "0001")
        for number in range(votes):
            voter = voters[number % len(voters)]
            cast = vote(number, reason=f"reason {number}", right=answer("x", seed=None), edited="é", voter=voter)
            row = {name: value for name, value in row_of(cast, 0, 0).items() if name not in _LATER}
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


def test_keys_of_browsers_become_names_and_what_programs_gave_stays(url: str) -> None:
    key = new_voter()
    _first_version(url, 2, voters=(key, "a-program"))
    engine = engine_for(parse_address(url))
    with writing(engine) as connection:
        upgrade(connection, "0002")
        row = {"vote": vote(0).id, "verdict": "tie"}
        connection.execute(text("INSERT INTO vote_corrections VALUES (:vote, 0, 1, :verdict, NULL, NULL)"), row)
    engine.dispose()
    with open_votes(url, create=False) as store:
        assert [each.voter for each in store.every()] == [voter_of(key), "a-program"]
        (corrected,) = [each for each in store.every() if each.corrections]
        assert (corrected.unblind, corrected.corrections[0].by) == (True, None)
        assert [each.id for _, each in store.changes()] == [vote(0).id, vote(1).id]
        assert store.add(vote(2, left=answer(before=(("assistant", "a"), ("user", "b")))))
        assert store.correct(vote(1).id, verdict="right", by="a-program").corrections[0].by == "a-program"


@pytest.mark.parametrize("version", ["0001", "0002", "0003"])
def test_a_store_of_every_older_version_takes_open_comparisons(url: str, version: str) -> None:
    _first_version(url, 3)
    engine = engine_for(parse_address(url))
    with writing(engine) as connection:
        upgrade(connection, version)
        assert version_of(connection) == version
    engine.dispose()
    with open_votes(url, create=False) as store:
        assert [(each.reason, each.comparison) for each in store.every()] == [(f"reason {n}", None) for n in range(3)]
        assert store.open_comparisons.add_all([asked()]) == 1
        cast = answering(asked(), "tie", "ann", id=vote(9).id)
        assert store.add(cast)
        assert store.open_comparisons.votes_on([asked().id]) == [cast]


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


@pytest.mark.parametrize("version", ["0005", "9999", "abc"])
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


def test_a_table_of_somebody_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE votes (candidate TEXT)")
    assert "Tiebreak did not create" in refused(str(path))
    with sqlite3.connect(path) as connection:
        assert [name for (name,) in connection.execute("SELECT name FROM sqlite_master")] == ["votes"]


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


def _open_and_add(url: str, number: int, gate: Barrier, results: Queue[bool | str]) -> None:
    gate.wait()
    try:
        with open_votes(url) as store:
            results.put(store.add(vote(number)))
    except BaseException as error:  # noqa: BLE001  the parent reads it
        results.put(repr(error))


@pytest.mark.parametrize("old", [False, True], ids=["empty", "first-version"])
def test_processes_that_open_at_once_migrate_once(url: str, old: bool) -> None:
    if old:
        _first_version(url, 0)
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(6)
    results: Queue[bool | str] = context.Queue()
    children = [context.Process(target=_open_and_add, args=(url, number, gate, results)) for number in range(6)]
    for child in children:
        child.start()
    assert [results.get(timeout=120) for _ in children] == [True] * 6
    for child in children:
        child.join()
    with open_votes(url, create=False) as store:
        assert store.count(VoteFilter()) == 6


def test_threads_that_open_at_once_migrate_once(url: str) -> None:

    with ThreadPoolExecutor(6) as threads:
        stores = list(threads.map(lambda _: open_votes(url), range(6)))
    assert [store.add(vote(number)) for number, store in enumerate(stores)] == [True] * 6
    for store in stores:
        store.close()
