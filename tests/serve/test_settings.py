"""What may be set about a server, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiebreak.errors import InputError
from tiebreak.serve.settings import ServeSettings, check_settings, is_local, parse_auth, secrets_from

KEY = "a-key-that-is-long-enough"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_a_server_for_others_needs_a_key(host: str) -> None:
    with pytest.raises(InputError, match="asks nobody"):
        check_settings(ServeSettings(host=host))
    check_settings(ServeSettings(host=host, api_keys=(KEY,)))
    check_settings(ServeSettings(host=host, auth=("anna", "secret")))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1", "[::1]"])
def test_this_machine_alone_needs_none(host: str) -> None:
    assert is_local(host)
    check_settings(ServeSettings(host=host))


@pytest.mark.parametrize("settings", [{"api_keys": ("",)}, {"api_keys": ("a\nb",)}, {"auth": ("anna", "")}])
def test_empty_and_unsendable_secrets_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(InputError):
        check_settings(ServeSettings(**settings))  # type: ignore[arg-type]


def test_user_and_password_are_parted_at_the_first_colon() -> None:
    assert parse_auth(("anna:a:b",)) == ("anna", "a:b")
    assert parse_auth(()) is None
    for wrong in (("anna",), ("anna:a", "bert:b")):
        with pytest.raises(InputError):
            parse_auth(wrong)


def test_secrets_are_not_shown_with_the_settings() -> None:
    assert KEY not in repr(ServeSettings(api_keys=(KEY,), auth=("anna", KEY)))


def test_secrets_come_from_a_file_or_the_environment_where_others_cannot_see_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(given: str | None, file: Path | None) -> tuple[str, ...]:
        return secrets_from(given, file, option="--auth", variable="TIEBREAK_AUTH")

    monkeypatch.delenv("TIEBREAK_AUTH", raising=False)
    assert found(None, None) == ()
    assert found("anna:a", None) == ("anna:a",)
    file = tmp_path / "keys"
    file.write_text("\n one \ntwo\n\n")
    monkeypatch.setenv("TIEBREAK_AUTH", "bert:b")
    assert (found(None, None), found("anna:a", None), found(None, file)) == (("bert:b",), ("anna:a",), ("one", "two"))
    with pytest.raises(InputError, match="Both"):
        found("anna:a", file)
    file.write_text("\n")
    with pytest.raises(InputError, match="empty"):
        found(None, file)
    for unreadable in (tmp_path / "nothing", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            found(None, unreadable)


@pytest.mark.parametrize("proxy", ["127.0.0.1", "10.0.0.0/8", "10.0.0.1/8", "::1", "2001:db8::/32"])
def test_proxies_are_addresses_or_networks(proxy: str) -> None:
    check_settings(ServeSettings(trusted_proxies=(proxy,)))


@pytest.mark.parametrize(
    "settings",
    [
        {"trusted_proxies": ("proxy.example.org",)},
        {"trusted_proxies": ("10.0.0.0/99",)},
        {"cors_origins": ("*",)},
        {"cors_origins": ("chat.example.org",)},
        {"cors_origins": ("https://chat.example.org/app",)},
        {"cors_origins": ("null",)},
    ],
)
def test_what_is_no_address_and_no_origin_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(InputError):
        check_settings(ServeSettings(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "training"),
    [
        ({}, True),
        ({"train": False}, False),
        ({"host": "localhost"}, True),
        ({"host": "::1"}, True),
        ({"host": "0.0.0.0", "auth": ("anna", KEY)}, False),
        ({"host": "0.0.0.0", "auth": ("anna", KEY), "train": True}, True),
        ({"trusted_proxies": ("127.0.0.1",)}, False),
        ({"allowed_hosts": ("models.example.org",)}, False),
    ],
)
def test_trainings_are_off_where_others_can_come(settings: dict[str, object], training: bool) -> None:
    assert ServeSettings(**settings).training is training  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"api_keys": (KEY,), "train": True}, "Nobody could train"),
        ({"trusted_proxies": ("127.0.0.1",), "train": True}, "asked for no key"),
        ({"allowed_hosts": ("models.example.org",), "train": True}, "asked for no key"),
    ],
)
def test_trainings_that_nobody_or_everybody_could_start_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        check_settings(ServeSettings(**settings))  # type: ignore[arg-type]


def test_trainings_of_a_user_or_of_keys_that_are_named_for_them_are_allowed() -> None:
    check_settings(ServeSettings(train=True))
    check_settings(ServeSettings(host="0.0.0.0", auth=("anna", KEY), train=True))
    check_settings(ServeSettings(host="0.0.0.0", api_keys=(KEY,), train_keys=(KEY,), train=True))
