"""The routes that clients of OpenAI's API know, over whatever engine there is."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from tiebreak.data.preference import Message
from tiebreak.errors import TiebreakError
from tiebreak.serve.api_errors import RequestFailed, error_answer, error_body, explain
from tiebreak.serve.client_gone import ClientGone, EventStream, while_connected
from tiebreak.serve.engine import Engine, GenerationRequest, Piece, ServedModel, find_model
from tiebreak.serve.limits import RateLimit, client_of
from tiebreak.serve.metrics import Metrics
from tiebreak.serve.settings import Limits
from tiebreak.serve.shapes import (
    AnswerMessage,
    ChatChoice,
    ChatCompletion,
    ChatMessage,
    ChatRequest,
    Completion,
    CompletionRequest,
    ErrorAnswer,
    ModelEntry,
    ModelList,
    TextChoice,
    Usage,
)

# What OpenAI's API takes where a request to go on with a text says nothing.
_DEFAULT_CONTINUATION = 16
_TEMPERATURE = 1.0
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


@dataclass(frozen=True)
class Api:
    """What the routes share."""

    engine: Engine
    limits: Limits
    metrics: Metrics
    rate: RateLimit


@dataclass(frozen=True)
class _Asked:
    """A request that can be given to the engine.

    Attributes:
        request: for the engine.
        model: that is asked.
        chat: whether the answer is a message, else a continuation.
        usage: whether a stream ends with counts of tokens.
        id: of the answer.
        created: when, in seconds since 1970.
        began: `time.perf_counter()` then.
    """

    request: GenerationRequest
    model: ServedModel
    chat: bool
    usage: bool
    id: str
    created: int
    began: float


def routes(api: Api) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/v1", tags=["openai"])

    @router.get("/models", response_model=ModelList, responses=failures(401, 403))
    async def list_models() -> ModelList:
        """The models there are."""
        return ModelList(data=[ModelEntry(id=one.name, created=one.created) for one in api.engine.models()])

    @router.get("/models/{name:path}", response_model=ModelEntry, responses=failures(401, 403, 404))
    async def one_model(name: str) -> ModelEntry:
        """One of the models."""
        found = find_model(api.engine.models(), name)
        return ModelEntry(id=found.name, created=found.created)

    @router.post("/chat/completions", response_model=ChatCompletion, responses=_STREAM | FAILURES)
    async def chat_completions(body: ChatRequest, request: Request) -> Response:
        """Answer a conversation."""
        return await _answer(api, request, lambda: _chat(api, body))

    @router.post("/completions", response_model=Completion, responses=_STREAM | FAILURES)
    async def completions(body: CompletionRequest, request: Request) -> Response:
        """Go on with a text."""
        return await _answer(api, request, lambda: _continuation(api, body))

    return router


def failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the document says of some statuses."""
    return {status: FAILURES[status] for status in statuses}


def _chat(api: Api, body: ChatRequest) -> _Asked:
    turns = tuple(_message(message) for message in body.messages)
    if turns[-1].role == "assistant":
        raise RequestFailed(400, "The last message is the assistant's; there is nothing to answer.", param="messages")
    asked_for = body.max_completion_tokens if body.max_completion_tokens is not None else body.max_tokens
    longest = min(api.limits.default_answer_tokens, api.limits.answer_tokens) if asked_for is None else asked_for
    return _asked(api, body, longest, turns=turns)


def _continuation(api: Api, body: CompletionRequest) -> _Asked:
    longest = _DEFAULT_CONTINUATION if body.max_tokens is None else body.max_tokens
    return _asked(api, body, longest, prompt=body.text)


def _message(message: ChatMessage) -> Message:
    role = "system" if message.role == "developer" else message.role
    return Message(role, message.text)


def _asked(
    api: Api,
    body: ChatRequest | CompletionRequest,
    longest: int,
    *,
    turns: tuple[Message, ...] = (),
    prompt: str | None = None,
) -> _Asked:
    if (field := body.unsupported()) is not None:
        raise RequestFailed(
            400, f"'{field}' is not supported here with this value.", param=field, code="unsupported_parameter"
        )
    if longest > api.limits.answer_tokens:
        message = f"At most {api.limits.answer_tokens} tokens can be asked for."
        raise RequestFailed(400, message, param="max_tokens")
    request = GenerationRequest(
        model=body.model,
        turns=turns,
        prompt=prompt,
        temperature=_TEMPERATURE if body.temperature is None else body.temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        max_tokens=longest,
        seed=body.seed,
        stop=body.stops,
        stream=bool(body.stream),
    )
    model = find_model(api.engine.models(), body.model)
    kind = "cmpl" if prompt is not None else "chatcmpl"
    identity = f"{kind}-{uuid.uuid4().hex}"
    return _Asked(request, model, prompt is None, body.usage_wanted, identity, int(time.time()), time.perf_counter())


async def _answer(api: Api, request: Request, read: Any) -> Response:
    """Answer a request, whole or as a stream, for as long as its client is there."""
    if wait := api.rate.wait(client_of(request.scope)):
        message = f"More than {api.limits.requests_per_minute} requests a minute."
        return error_answer(429, message, code="rate_limit_exceeded", headers={"Retry-After": str(wait)})
    asked: _Asked = read()
    try:
        if asked.request.stream:
            return await _streamed(api, request, asked)
        whole = await while_connected(request, _whole(api, asked))
    except ClientGone:
        api.metrics.cancelled.inc()
        return Response(status_code=499)  # nobody reads it; the metrics do
    except TimeoutError as error:
        status, message, param, code = explain(error)
        raise RequestFailed(status, message, param=param, code=code) from None
    return JSONResponse(whole)


async def _whole(api: Api, asked: _Asked) -> dict[str, Any]:
    texts: list[str] = []
    last = Piece("")
    async with asyncio.timeout(api.limits.seconds), aclosing(_pieces(api, asked)) as pieces:
        async for last in pieces:
            texts.append(last.text)
    api.metrics.count(asked.model.name, last)
    text, reason = "".join(texts), last.finish_reason or "stop"
    shared: dict[str, Any] = {
        "id": asked.id,
        "created": asked.created,
        "model": asked.model.name,
        "usage": _usage(last),
        "system_fingerprint": _fingerprint(asked.model),
    }
    if asked.chat:
        choice = ChatChoice(message=AnswerMessage(content=text), finish_reason=reason)
        return ChatCompletion(choices=[choice], **shared).model_dump()
    return Completion(choices=[TextChoice(text=text, finish_reason=reason)], **shared).model_dump()


async def _streamed(api: Api, request: Request, asked: _Asked) -> Response:
    """The first piece decides whether there is a stream at all: before it, a failure has a status of its own."""
    pieces = _pieces(api, asked)
    deadline = asyncio.get_running_loop().time() + api.limits.seconds
    try:
        async with asyncio.timeout_at(deadline):
            first = await while_connected(request, anext(pieces))
    except BaseException:
        await pieces.aclose()
        raise
    api.metrics.begun(asked.model.name, asked.began)
    return EventStream(_events(api, asked, first, pieces, deadline))


async def _events(
    api: Api, asked: _Asked, first: Piece, pieces: AsyncGenerator[Piece, None], deadline: float
) -> AsyncGenerator[bytes, None]:
    """The answer as server-sent events."""
    finished = False
    try:
        if asked.chat:
            yield _event(_chunk(asked, delta={"role": "assistant", "content": ""}))
        piece = first
        while True:
            if piece.text:
                yield _event(_chunk(asked, text=piece.text))
            if piece.finish_reason is not None:
                break
            async with asyncio.timeout_at(deadline):
                piece = await anext(pieces)
        yield _event(_chunk(asked, reason=piece.finish_reason))
        if asked.usage:
            yield _event(_chunk(asked) | {"choices": [], "usage": _usage(piece).model_dump()})
        api.metrics.count(asked.model.name, piece)
        yield b"data: [DONE]\n\n"
        finished = True
    except (TiebreakError, TimeoutError) as error:
        status, message, param, code = explain(error)
        yield _event(error_body(status, message, param=param, code=code))
        finished = True
    finally:
        if not finished:
            api.metrics.cancelled.inc()
        await pieces.aclose()


def _pieces(api: Api, asked: _Asked) -> AsyncGenerator[Piece, None]:
    pieces: AsyncIterator[Piece] = api.engine.generate(asked.request)
    return cast(AsyncGenerator[Piece, None], pieces)


def _chunk(
    asked: _Asked, *, text: str | None = None, delta: dict[str, str] | None = None, reason: str | None = None
) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": 0, "logprobs": None, "finish_reason": reason}
    if asked.chat:
        choice["delta"] = delta or ({} if text is None else {"content": text})
    else:
        choice["text"] = text or ""
    return {
        "id": asked.id,
        "object": "chat.completion.chunk" if asked.chat else "text_completion",
        "created": asked.created,
        "model": asked.model.name,
        "system_fingerprint": _fingerprint(asked.model),
        "choices": [choice],
        **({"usage": None} if asked.usage else {}),
    }


def _event(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def _usage(last: Piece) -> Usage:
    total = last.prompt_tokens + last.completion_tokens
    return Usage(prompt_tokens=last.prompt_tokens, completion_tokens=last.completion_tokens, total_tokens=total)


def _fingerprint(model: ServedModel) -> str:
    return f"tb-{model.fingerprint[:12]}"
