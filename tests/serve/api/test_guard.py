"""Who may ask, from where, and how much: keys, names of the server, other sites' pages, sizes, paths."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from starlette.testclient import TestClient

from tests.serve.live import Parrot
from tiebreak.errors import InputError
from tiebreak.serve.api.guard import BodyLimit, host_allowed, policy_for
from tiebreak.serve.app import create_app
from tiebreak.serve.settings import DATA_POLICY, Limits, ServeSettings

LOCAL = "http://127.0.0.1:5000"
ASKED = {"model": "parrot", "messages": [{"role": "user", "content": "hi there"}]}
KEY = "a-key-that-is-long-enough"


def client_for(settings: ServeSettings | None = None, **more: object) -> TestClient:
    app = create_app(Parrot(), settings or ServeSettings())
    return TestClient(app, base_url=LOCAL, raise_server_exceptions=False, **more)  # type: ignore[arg-type]


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_an_app_cannot_be_built_open_to_others() -> None:
    with pytest.raises(InputError):
        create_app(Parrot(), ServeSettings(host="0.0.0.0"))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic ****"},
        {"Authorization": f"Token {KEY}"},
        basic("anna", "wrong"),
        basic("bert", "secret"),
    ],
)
def test_without_the_right_key_nothing_is_answered(headers: dict[str, str]) -> None:
    client = client_for(ServeSettings(api_keys=(KEY,), auth=("anna", "secret")))
    for path in ("/v1/models", "/metrics", "/openapi.json", "/", "/nothing"):
        refused = client.get(path, headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
    assert client.post("/v1/chat/completions", json=ASKED, headers=headers).status_code == 401
    assert client.get("/healthz", headers=headers).json() == {"status": "ok"}


@pytest.mark.parametrize("headers", [{"Authorization": f"Bearer {KEY}"}, basic("anna", "secret"), basic("anyone", KEY)])
def test_with_the_right_key_all_is(headers: dict[str, str]) -> None:
    client = client_for(ServeSettings(api_keys=(KEY,), auth=("anna", "secret")))
    assert client.post("/v1/chat/completions", json=ASKED, headers=headers).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:5000", "127.0.0.1.evil.example", "", "localhost.:80"])
def test_a_name_bound_to_our_address_by_others_is_not_answered_to(host: str) -> None:
    assert client_for().get("/v1/models", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:5000", "LOCALHOST:80", "localhost", "[::1]:5000", "[::1]"])
def test_our_own_names_are(host: str) -> None:
    assert client_for().get("/v1/models", headers={"Host": host}).status_code == 200


def test_allowed_names_can_be_said_and_a_public_server_has_any() -> None:
    assert ServeSettings(host="0.0.0.0").hosts is None
    assert host_allowed("Chat.Example.org:443", ServeSettings(allowed_hosts=("chat.example.org",)).hosts)
    assert not host_allowed("127.0.0.1", ServeSettings(allowed_hosts=("chat.example.org",)).hosts)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": LOCAL},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    ],
)
def test_a_page_of_another_site_cannot_make_us_work(headers: dict[str, str]) -> None:
    engine = Parrot()
    client = TestClient(create_app(engine, ServeSettings()), base_url=LOCAL)
    for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
        sent = {**headers, "Content-Type": kind}
        assert client.post("/v1/chat/completions", content=json.dumps(ASKED), headers=sent).status_code == 403
    assert engine.asked == []


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": LOCAL}, {"Sec-Fetch-Site": "same-origin", "Origin": LOCAL}, {"Sec-Fetch-Site": "none"}]
)
def test_our_own_pages_and_programs_can(headers: dict[str, str]) -> None:
    assert client_for().post("/v1/chat/completions", json=ASKED, headers=headers).status_code == 200


def test_other_sites_may_link_to_us_but_not_build_us_in() -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert client_for().get("/healthz", headers=link).status_code == 200
    for other in ({"Sec-Fetch-Dest": "iframe"}, {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}):
        assert client_for().get("/healthz", headers={**link, **other}).status_code == 403


def test_every_answer_has_the_headers_of_safety_failures_too() -> None:
    client = client_for()
    for answer in (
        client.get("/v1/models"),
        client.get("/nothing"),
        client.get("/v1/models", headers={"Host": "evil.example"}),
        client.post("/v1/chat/completions", content=b"x" * (2 << 20)),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["content-security-policy"] == DATA_POLICY
        assert answer.headers["x-frame-options"] == "DENY"


def test_a_path_can_have_a_policy_of_its_own() -> None:
    policies = (("/", "default-src 'self'"), ("/v1/", DATA_POLICY))
    assert policy_for("/page", policies) == "default-src 'self'"
    assert policy_for("/v1/models", policies) == DATA_POLICY
    assert policy_for("/v1/models", ()) == DATA_POLICY


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/v1/models/../../../../etc/passwd",
        "/v1/models/..%2f..%2f..%2fetc%2fpasswd",
        "/file=/etc/passwd",
        "/static/../../etc/passwd",
        "//etc/passwd",
        "/..\\..\\etc\\passwd",
        "/%00/etc/passwd",
        "/docs",
        "/redoc",
    ],
)
def test_no_file_of_the_machine_can_be_read(path: str) -> None:
    sent: list[dict[str, object]] = []

    async def ask() -> None:
        # Past any client, which would put the path in order first.
        scope = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": [(b"host", b"127.0.0.1")], "http_version": "1.1", "scheme": "http", "root_path": "",
        }  # fmt: skip

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        await create_app(Parrot(), ServeSettings())(scope, receive, send)  # type: ignore[arg-type]

    asyncio.run(ask())
    assert sent[0]["status"] == 404
    assert b"root:" not in b"".join(message.get("body", b"") for message in sent)  # type: ignore[misc]
    assert client_for().get(path).status_code in (404, 400)


def test_a_body_that_is_too_long_is_refused_stated_or_not() -> None:
    client = client_for(ServeSettings(limits=Limits(body_bytes=1000)))
    for content in (b"x" * 1001, iter([b"x" * 600, b"x" * 600])):
        refused = client.post("/v1/completions", content=content)
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "request_too_large")
    fits = json.dumps({"model": "parrot", "prompt": "x" * 900}).encode()
    assert client.post("/v1/completions", content=fits, headers={"Content-Type": "application/json"}).is_success


def test_a_body_that_never_comes_is_not_waited_for() -> None:
    statuses: list[object] = []

    async def slow() -> None:
        async def never() -> None:
            await asyncio.sleep(60)

        async def send(message: dict[str, object]) -> None:
            statuses.append(message.get("status"))

        limit = BodyLimit(create_app(Parrot(), ServeSettings()), max_bytes=10, seconds=0.05)
        await limit({"type": "http", "headers": [], "method": "POST", "path": "/"}, never, send)  # type: ignore[arg-type]

    asyncio.run(slow())
    assert statuses[0] == 408


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"model": "parrot", "prompt": "\\ud800"}',
        b'{"model": "parrot\\u0000", "prompt": "x"}',
        b'{"model": "parrot", "prompt": "x", "temperature": NaN}',
        b'{"model": "parrot", "prompt": "x", "seed": 1' + b"0" * 5000 + b"}",
        b'{"model": "parrot", "prompt": "x", "max_tokens": 1e400}',
        b'{"model": "parrot", "prompt": ["a", 2]}',
        b'{"model": "parrot", "prompt": [true, 2]}',
        b'{"model": "parrot", "prompt": [1, -2]}',
        b"\xff\xfe",
    ],
)
def test_a_body_that_makes_no_sense_is_a_wrong_request_and_no_failure(body: bytes) -> None:
    answer = client_for().post("/v1/completions", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_text_comes_back_as_text_and_nothing_else() -> None:
    evil = "<script>alert(1)</script>\x1b[2J</b>"
    asked = {"model": "parrot", "messages": [{"role": "user", "content": evil}]}
    answer = client_for().post("/v1/chat/completions", json=asked)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["choices"][0]["message"]["content"].strip() == evil
