"""The two databases: every test that takes `url` or `store` runs on both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.votes.postgres import Server, binaries, running_server
from tiebreak.votes import open_votes
from tiebreak.votes.store import VoteStore


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server of our own."""
    bin = binaries()
    if bin is None:
        pytest.skip("PostgreSQL is missing: apt-get install postgresql")
    with running_server(bin) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a store that is not there yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'votes.db'}"
    return str(request.getfixturevalue("postgres").new_database())


@pytest.fixture
def store(url: str) -> Iterator[VoteStore]:
    """An open, empty store."""
    with open_votes(url) as opened:
        yield opened
