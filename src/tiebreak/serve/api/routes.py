"""The routes that clients of OpenAI's API know, over whatever engine there is."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from tiebreak.serve.api import asked, responses
from tiebreak.serve.api.answering import Api, answer
from tiebreak.serve.api.answers import ChatCompletion, Completion, ErrorAnswer, ModelEntry, ModelList
from tiebreak.serve.api.errors import RequestFailed
from tiebreak.serve.api.requests import ChatRequest, CompletionRequest
from tiebreak.serve.generation.engine import find_model

FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": what}
    for status, what in {
        400: "The request is wrong.",
        401: "The key is missing or wrong.",
        403: "The request is not taken from where it comes.",
        404: "There is no such model.",
        408: "The body took too long to come.",
        413: "The body is too long.",
        429: "Too many requests; Retry-After says when to try again.",
        502: "The server behind this one failed.",
        503: "The server is being stopped.",
        504: "The answer took too long.",
    }.items()
}
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "The answer, or with `stream` its pieces.", "content": {"text/event-stream": {}}}
}


def routes(api: Api) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/v1", tags=["openai"])

    @router.head("/models", include_in_schema=False)
    @router.get("/models", response_model=ModelList, responses=failures(401, 403))
    async def list_models() -> ModelList:
        """The models there are."""
        return ModelList(data=[ModelEntry(id=one.name, created=one.created) for one in api.engine.models()])

    @router.head("/models/{name:path}", include_in_schema=False)
    @router.get("/models/{name:path}", response_model=ModelEntry, responses=failures(401, 403, 404))
    async def one_model(name: str) -> ModelEntry:
        """One of the models."""
        found = find_model(api.engine.models(), name)
        return ModelEntry(id=found.name, created=found.created)

    @router.post("/chat/completions", response_model=ChatCompletion, responses=_STREAM | FAILURES)
    async def chat_completions(body: ChatRequest, request: Request) -> Response:
        """Answer a conversation."""
        return await answer(api, request, lambda: asked.chat(api.engine, api.limits, body))

    @router.post("/completions", response_model=Completion, responses=_STREAM | FAILURES)
    async def completions(body: CompletionRequest, request: Request) -> Response:
        """Go on with a text."""
        return await answer(api, request, lambda: asked.continuation(api.engine, api.limits, body))

    @router.post("/responses", response_model=responses.ResponseAnswer, responses=_STREAM | FAILURES)
    async def response(body: responses.ResponseRequest, request: Request) -> Response:
        """Answer a conversation, in the newer form; nothing is stored."""
        return await answer(api, request, lambda: responses.asked_for(api.engine, api.limits, body))

    @router.post("/embeddings", include_in_schema=False)
    async def embeddings() -> Response:
        """Say that there are none."""
        message = "This server generates text. It gives no embeddings."
        raise RequestFailed(404, message, code="unsupported_endpoint")

    return router


def failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the document says of some statuses."""
    return {status: FAILURES[status] for status in statuses}
