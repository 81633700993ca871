"""Pages of other sites: those that are named may use the API, and nothing else; all others are refused."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.serve.live import Parrot
from tiebreak.serve.app import create_app
from tiebreak.serve.settings import ServeSettings

LOCAL = "http://127.0.0.1:5000"
SITE = "https://chat.example.org"
KEY = "a-key-that-is-long-enough"
ASKED = {"model": "parrot", "messages": [{"role": "user", "content": "hi"}]}
FROM_SITE = {"Origin": SITE, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
BEFOREHAND = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-stainless-os"}


@pytest.fixture(scope="module")
def client() -> TestClient:
    settings = ServeSettings(cors_origins=(SITE,), api_keys=(KEY,))
    return TestClient(create_app(Parrot(), settings), base_url=LOCAL)


def test_a_named_site_may_ask_beforehand_and_then(client: TestClient) -> None:
    before = client.options("/v1/chat/completions", headers={**FROM_SITE, **BEFOREHAND})
    assert before.status_code == 204
    assert before.headers["access-control-allow-origin"] == SITE
    assert "POST" in before.headers["access-control-allow-methods"]
    assert before.headers["access-control-allow-headers"] == "authorization,x-stainless-os"
    answer = client.post("/v1/chat/completions", json=ASKED, headers={**FROM_SITE, "Authorization": f"Bearer {KEY}"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, SITE)
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "access-control-allow-credentials" not in answer.headers


def test_a_named_site_can_read_why_it_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/chat/completions", json=ASKED, headers=FROM_SITE)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, SITE)


@pytest.mark.parametrize("origin", ["https://evil.example", "http://chat.example.org", f"{SITE}.evil.example", "null"])
def test_another_site_may_not(client: TestClient, origin: str) -> None:
    for headers in (BEFOREHAND, {"Authorization": f"Bearer {KEY}"}):
        for method in ("OPTIONS", "POST"):
            answer = client.request(method, "/v1/chat/completions", headers={**FROM_SITE, **headers, "Origin": origin})
            assert "access-control-allow-origin" not in answer.headers
            assert answer.status_code in (401, 403)


@pytest.mark.parametrize("path", ["/", "/votes/export.jsonl", "/metrics", "/gradio_api/queue/join", "/v1evil"])
def test_a_named_site_has_the_api_alone(client: TestClient, path: str) -> None:
    answer = client.post(path, headers={**FROM_SITE, "Authorization": f"Bearer {KEY}"})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_odd_names_of_headers_are_not_repeated(client: TestClient) -> None:
    odd = {**FROM_SITE, **BEFOREHAND, "Access-Control-Request-Headers": "a;b <c>"}
    answer = client.options("/v1/chat/completions", headers=odd)
    assert answer.headers["access-control-allow-headers"] == "Authorization, Content-Type"
