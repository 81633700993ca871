"""Who may train from the page."""

from __future__ import annotations

import base64

import pytest

from tiebreak.serve.pages.permission import may_train
from tiebreak.serve.settings import ServeSettings


def _basic(pair: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def test_on_a_server_of_this_machine_its_users_may() -> None:
    assert may_train({}, ServeSettings())
    assert not may_train({}, ServeSettings(train=False))


@pytest.mark.parametrize("name", ["x-forwarded-for", "forwarded", "x-real-ip", "via"])
def test_nobody_may_through_a_proxy_that_asks_for_no_key(name: str) -> None:
    assert not may_train({name: "203.0.113.7"}, ServeSettings())


@pytest.mark.parametrize(
    "settings",
    [
        ServeSettings(host="0.0.0.0", auth=("anna", "long")),
        ServeSettings(auth=("anna", "long"), trusted_proxies=("127.0.0.1",)),
        ServeSettings(auth=("anna", "long"), allowed_hosts=("models.example.org",)),
    ],
)
def test_where_others_can_come_it_is_off_unless_it_is_asked_for(settings: ServeSettings) -> None:
    assert not may_train(_basic("anna:long"), settings)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_with_keys_the_user_may_and_the_keys_that_are_named_for_it(host: str) -> None:
    settings = ServeSettings(
        host=host, auth=("anna", "long"), api_keys=("asks", "trains"), train_keys=("trains",), train=True
    )
    assert may_train(_basic("anna:long"), settings)
    assert may_train({"authorization": "Bearer trains"}, settings)
    assert may_train(_basic("anybody:trains"), settings)
    for headers in (
        {},
        {"authorization": "Bearer asks"},
        _basic("x:asks"),
        _basic("anna:wrong"),
        {"authorization": ""},
    ):
        assert not may_train(headers, settings)


def test_a_key_for_asking_alone_trains_nowhere() -> None:
    assert not may_train({"authorization": "Bearer asks"}, ServeSettings(api_keys=("asks",)))
