"""Our own OpenAPI document, taken at its word: whatever it allows or forbids is answered as it says, never by a 5xx."""

from __future__ import annotations

from collections import Counter
from typing import Any
from unittest import SkipTest

import pytest

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis: pip install 'tiebreak[dev]'")

from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis.errors import Unsatisfiable  # noqa: E402
from schemathesis import GenerationMode  # noqa: E402

from tests.serve.live import Parrot  # noqa: E402
from tiebreak.serve.app import create_app  # noqa: E402
from tiebreak.serve.settings import Limits, ServeSettings  # noqa: E402

APP = create_app(Parrot(), ServeSettings(limits=Limits(requests_per_minute=0)))
SEEN: Counter[int] = Counter()
DOCUMENT = schemathesis.openapi.from_dict(APP.openapi())
DOCUMENT.app = APP


OPERATIONS = [found.ok() for found in DOCUMENT.get_all_operations()]
CHECKS = [
    check
    for check in schemathesis.checks.CHECKS.get_all()
    if check.__name__
    in ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")
]


# One test for each route and kind of request: as subtests of one test they are lost between processes.
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.name.lower())
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_the_document_holds(operation: Any, mode: Any) -> None:
    @settings(
        max_examples=30,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def holds(case: Any) -> None:
        # Else every request would name a model that is not there; a few still do.
        if isinstance(case.body, dict) and isinstance(case.body.get("model"), str) and len(case.body["model"]) % 5:
            case.body["model"] = "parrot"
        answer = case.call(base_url="http://127.0.0.1", headers={"Host": "127.0.0.1"})
        assert answer.status_code < 500
        SEEN[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    try:
        holds()
    except (Unsatisfiable, SkipTest):
        if mode is not GenerationMode.NEGATIVE:  # a route that asks for nothing has no wrong requests
            raise


def test_the_requests_were_of_all_kinds() -> None:
    """What is drawn depends on versions: that requests of every kind are among it is what counts."""
    assert SEEN[200] > 10
    assert SEEN[400] > 3
    assert SEEN[404] > 0


def test_the_document_names_every_route_and_no_status_that_is_not_used() -> None:
    document = APP.openapi()
    assert set(document["paths"]) == {
        "/healthz",
        "/metrics",
        "/v1/models",
        "/v1/models/{name}",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/responses",
    }
    assert "422" not in document["paths"]["/v1/completions"]["post"]["responses"]
    assert len(CHECKS) == 4


def test_pages_are_mounted_behind_the_routes_of_the_api() -> None:
    from fastapi import FastAPI
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient

    from tiebreak.serve.app import create_app

    def mount(app: FastAPI) -> FastAPI:
        app.mount("/", Starlette(routes=[Route("/", lambda _: PlainTextResponse("a page"))]))
        return app

    settings = ServeSettings(policies=(("/", "default-src 'self'"), ("/v1/", "default-src 'none'")))
    client = TestClient(create_app(Parrot(), settings, mount=mount), base_url="http://localhost")
    page = client.get("/")
    assert (page.text, page.headers["content-security-policy"]) == ("a page", "default-src 'self'")
    models = client.get("/v1/models")
    assert (models.json()["data"][0]["id"], models.headers["content-security-policy"]) == (
        "parrot",
        "default-src 'none'",
    )
