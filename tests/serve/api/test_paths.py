"""Addresses that lead nowhere and methods that do not fit have OpenAI's shape, also where pages take what is left."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.responses import PlainTextResponse
from starlette.routing import Mount

from tests.serve.live import Parrot
from tiebreak.serve.app import create_app
from tiebreak.serve.settings import ServeSettings


def with_pages(app: FastAPI) -> FastAPI:
    app.router.routes.append(Mount("/", PlainTextResponse("a page", 200)))
    return app


@pytest.fixture(scope="module", params=[False, True], ids=["alone", "with pages"])
def client(request: pytest.FixtureRequest) -> TestClient:
    app = create_app(Parrot(), ServeSettings(), mount=with_pages if request.param else None)
    return TestClient(app, base_url="http://127.0.0.1:5000")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/nothing", "/v1/chat", "/v1/chat/completions/", "/v1/responses/resp_1", "/healthz/a"]
)
def test_an_address_that_leads_nowhere(path: str, method: str, client: TestClient) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_url")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/chat/completions", "POST"),
        ("DELETE", "/v1/completions", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("DELETE", "/v1/models/parrot", "GET, HEAD"),
        ("GET", "/v1/responses", "POST"),
        ("GET", "/v1/embeddings", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("PUT", "/metrics", "GET, HEAD"),
        ("BREW", "/v1/models", "GET, HEAD"),
    ],
)
def test_a_method_that_an_address_does_not_take(method: str, path: str, allowed: str, client: TestClient) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert method in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/healthz", "/v1/models", "/v1/models/parrot", "/metrics"])
def test_whether_something_is_there_can_be_asked_without_taking_it(path: str, client: TestClient) -> None:
    answer = client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert client.head("/v1/models/nobody").status_code == 404


def test_embeddings_are_refused_in_the_shape_that_clients_read(client: TestClient) -> None:
    answer = client.post("/v1/embeddings", json={"model": "parrot", "input": "a"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unsupported_endpoint")
