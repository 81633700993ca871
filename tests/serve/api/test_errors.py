"""Failures as clients expect them: OpenAI's shape, the status that says who is at fault, and no secret in the text."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from tiebreak.errors import InputError, Interrupted, RunError, TiebreakError
from tiebreak.serve.api.errors import RequestFailed, error_body, explain, failure_answer, register
from tiebreak.serve.generation.engine import EngineBusy, EngineClosed, UnfitRequest, UnknownModel, UpstreamFailed


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "invalid_request_error"),
        (408, "timeout_error"),
        (429, "rate_limit_error"),
        (500, "server_error"),
        (503, "server_error"),
    ],
)
def test_a_status_has_its_type(status: int, kind: str) -> None:
    assert error_body(status, "It failed.") == {
        "error": {"message": "It failed.", "type": kind, "param": None, "code": None}
    }


@pytest.mark.parametrize(
    ("error", "status", "param", "code"),
    [
        (TimeoutError(), 504, None, "timeout"),
        (EngineBusy(7), 429, None, "engine_busy"),
        (UnknownModel("nobody", ["mine", "base"]), 404, "model", "model_not_found"),
        (EngineClosed(), 503, None, "stopping"),
        (UpstreamFailed("The server behind did not answer."), 502, None, "upstream_failed"),
    ],
)
def test_a_failure_of_the_engine_has_its_status(
    error: TiebreakError | TimeoutError, status: int, param: str | None, code: str
) -> None:
    found = explain(error)
    assert (found[0], found[2], found[3]) == (status, param, code)
    assert found[1].endswith(".")


def test_an_unfit_request_names_its_field() -> None:
    status, message, param, _ = explain(UnfitRequest("The prompt is too long.", where="messages", code="too_long"))
    assert (status, message, param) == (400, "The prompt is too long.", "messages")


def test_who_is_too_early_is_told_when_to_come_back() -> None:
    answer = failure_answer(EngineBusy(7))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert "retry-after" not in failure_answer(EngineClosed()).headers


class _Body(BaseModel):
    count: int = Field(ge=1)
    parts: list[int] = []


@pytest.fixture
def app() -> FastAPI:
    made = FastAPI()
    register(made)
    failures: dict[str, Exception] = {
        "run": RunError("The model failed: RuntimeError."),
        "input": InputError("No such file.", where="/home/ann/secret.db"),
        "stopped": Interrupted("Stopped."),
        "http": HTTPException(418, "I am a teapot.", {"X-Kind": "pot"}),
        "request": RequestFailed(422, "n is 1.", param="n", code="unsupported"),
        "bug": KeyError("hf_averysecrettoken"),
    }

    @made.post("/checked")
    def checked(body: _Body) -> int:
        return body.count

    @made.get("/{name}")
    def failing(name: str) -> None:
        raise failures[name]

    return made


def answered(app: FastAPI, path: str, content: str | None = None) -> httpx.Response:
    """What a client gets: of a GET, or of a POST where there is a body."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            headers = {"content-type": "application/json"}
            return await (client.get(path) if content is None else client.post(path, content=content, headers=headers))

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/run", 500, "The model failed: RuntimeError."),
        ("/input", 500, "The server failed."),  # nothing that the client sent, and its words may hold a path
        ("/http", 418, "I am a teapot."),
        ("/request", 422, "n is 1."),
        ("/bug", 500, "The server failed."),
        ("/a/b", 404, "Not Found"),
    ],
)
def test_every_failure_has_the_shape(path: str, status: int, message: str, app: FastAPI) -> None:
    answer = answered(app, path)
    error = answer.json()["error"]
    assert (answer.status_code, error["message"]) == (status, message)
    assert set(error) == {"message", "type", "param", "code"}
    assert not any(secret in json.dumps(error) for secret in ("hf_", "/home"))
    if path == "/http":
        assert answer.headers["x-kind"] == "pot"


@pytest.mark.parametrize(
    ("content", "param"),
    [
        ('{"count": 0}', "count"),
        ("{}", "count"),
        ('{"count": 1, "parts": [1, "x"]}', "parts.1"),
        ("[", None),
        ("", None),
    ],
)
def test_a_body_that_does_not_fit_names_the_field_and_not_the_value(
    content: str, param: str | None, app: FastAPI
) -> None:
    answer = answered(app, "/checked", content)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, param)
    assert param is None or str(error["message"]).startswith(f"{param}: ")
