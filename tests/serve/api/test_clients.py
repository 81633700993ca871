"""Whom a request counts for: nothing that a client makes up makes another client of it."""

from __future__ import annotations

import base64

import pytest
from starlette.testclient import TestClient

from tests.serve.live import Parrot
from tiebreak.serve.api.clients import KeyTries, RateLimit, address_of, client_of, mark
from tiebreak.serve.app import create_app
from tiebreak.serve.settings import Limits, ServeSettings

LOCAL = "http://127.0.0.1:5000"
KEY, OTHER_KEY = "a-key-that-is-long-enough", "another-key-that-is-long"
ASKED = {"model": "parrot", "messages": [{"role": "user", "content": "hi"}]}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def client_for(address: str = "198.51.100.7", **settings: object) -> TestClient:
    limits = Limits(requests_per_minute=3, key_tries_per_minute=2)
    app = create_app(Parrot(), ServeSettings(limits=limits, **settings))  # type: ignore[arg-type]
    return TestClient(app, base_url=LOCAL, client=(address, 5))


def statuses(client: TestClient, *headers: dict[str, str]) -> list[int]:
    return [client.post("/v1/chat/completions", json=ASKED, headers=one).status_code for one in headers]


def test_a_client_gets_its_requests_back_with_time() -> None:
    now = [0.0]
    rate = RateLimit(60, clock=lambda: now[0])
    assert [rate.wait("a") for _ in range(60)] == [0] * 60
    assert rate.wait("a") == 1
    assert rate.wait("b") == 0
    now[0] = 1.0
    assert [rate.wait("a"), rate.wait("a")] == [0, 1]
    assert [RateLimit(0).wait("a") for _ in range(1000)] == [0] * 1000


def test_made_up_credentials_do_not_escape_the_limit_of_an_open_server() -> None:
    made_up = [bearer(f"key-{i}") for i in range(3)] + [basic(f"user-{i}", "x") for i in range(2)]
    assert statuses(client_for(), *made_up) == [200, 200, 200, 429, 429]


def test_made_up_users_with_a_right_key_do_not_escape_the_limit_either() -> None:
    client = client_for(api_keys=(KEY,))
    assert statuses(client, bearer(KEY), bearer(KEY), basic("a", KEY), bearer(KEY), bearer(KEY)) == [
        *[200] * 3,
        *[429] * 2,
    ]


def test_right_keys_have_a_limit_each() -> None:
    client = client_for(api_keys=(KEY, OTHER_KEY))
    assert statuses(client, *[bearer(KEY)] * 4, bearer(OTHER_KEY)) == [200, 200, 200, 429, 200]


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "address"),
    [
        ("198.51.100.7", "203.0.113.9", (), "198.51.100.7"),
        ("198.51.100.7", "203.0.113.9", ("10.0.0.0/8",), "198.51.100.7"),
        ("10.1.2.3", "203.0.113.9", ("10.0.0.0/8",), "203.0.113.9"),
        ("10.1.2.3", "1.1.1.1, 203.0.113.9, 10.9.9.9", ("10.0.0.0/8",), "203.0.113.9"),
        ("10.1.2.3", "203.0.113.9, nonsense", ("10.0.0.0/8",), "10.1.2.3"),
        ("10.1.2.3", "", ("10.0.0.0/8",), "10.1.2.3"),
        ("::ffff:10.1.2.3", "203.0.113.9", ("10.1.2.3",), "203.0.113.9"),
        ("::1", "2001:db8:1:2:3:4:5:6", ("::1",), "2001:db8:1:2::/64"),
        ("2001:db8:1:2::5", None, (), "2001:db8:1:2::/64"),
        ("testclient", None, (), "testclient"),
    ],
)
def test_only_proxies_that_are_trusted_say_whom_they_speak_for(
    peer: str, forwarded: str | None, trusted: tuple[str, ...], address: str
) -> None:
    headers = [] if forwarded is None else [(b"x-forwarded-for", forwarded.encode())]
    assert address_of({"type": "http", "client": (peer, 5), "headers": headers}, trusted) == address


def test_behind_a_trusted_proxy_everybody_has_a_limit_of_their_own() -> None:
    def asked(client: TestClient) -> list[int]:
        return statuses(client, *[{"X-Forwarded-For": "203.0.113.9"}] * 4, {"X-Forwarded-For": "203.0.113.10"})

    assert asked(client_for("127.0.0.1", trusted_proxies=("127.0.0.1",))) == [200, 200, 200, 429, 200]
    assert asked(client_for("127.0.0.1")) == [200, 200, 200, 429, 429]


def test_who_tries_keys_is_slowed_and_locks_out_nobody_whose_key_was_right() -> None:
    client = client_for(api_keys=(KEY,))
    assert statuses(client, bearer(KEY), bearer("a"), bearer("b"), bearer("c")) == [200, 401, 429, 429]
    assert statuses(client, bearer(KEY)) == [200]
    other = client_for(api_keys=(KEY,))
    assert statuses(other, bearer("a"), bearer("b"), bearer(KEY)) == [401, 401, 429]  # the right one is not found so
    assert other.get("/v1/models").status_code == 401  # no key is no try
    assert other.get("/healthz").status_code == 200


def test_tries_come_back_with_time() -> None:
    now = [0.0]
    tries = KeyTries(2, clock=lambda: now[0])
    assert [tries.wait("a", f"k{i}") for i in range(3)] == [0, 0, 30]
    assert tries.wait("b", "k") == 0
    tries.right("a", "k0")
    assert tries.wait("a", "k0") == 0
    now[0] = 30.0
    assert tries.wait("a", "k5") == 0


def test_a_mark_is_a_digest_and_differs_by_address_and_key() -> None:
    marks = set()
    for address, key in (("a", ""), ("a", KEY), ("b", KEY)):
        scope: dict[str, object] = {"type": "http", "headers": []}
        mark(scope, address, key)
        assert KEY not in str(scope)
        marks.add(client_of(scope))
    assert len(marks) == 3
