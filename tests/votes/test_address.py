"""Addresses: what is none is refused, and a password is shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.votes.refused import refused
from tiebreak.votes.address import parse_address


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
    message = refused(url)
    assert "topsecret" not in message
    assert "what to do" in message


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
    assert address.has_password == ("secret" in url)
    assert "secret" not in repr(address.url.set(query={}))


def test_a_missing_extra_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiebreak.votes.address.find_spec", lambda name: None if name == "alembic" else True)
    message = refused(str(tmp_path / "votes.db"))
    assert "alembic" in message
    assert "tiebreak[serve]" in message
