"""How a failure becomes an answer in OpenAI's shape: its status, its type, and a sentence that names no secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from tiebreak.errors import TiebreakError
from tiebreak.serve.generation.engine import EngineBusy, EngineClosed, UnfitRequest, UnknownModel, UpstreamFailed

_FIELD = re.compile(r"[a-z0-9_]{1,40}")
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    408: "timeout_error",
    429: "rate_limit_error",
}


def error_answer(
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A failure in OpenAI's shape.

    Args:
        status: HTTP status.
        message: one sentence, for people.
        param: the field that is wrong.
        code: a word for programs.
        headers: of the answer.
    """
    return JSONResponse(error_body(status, message, param=param, code=code), status, dict(headers or {}))


def error_body(status: int, message: str, *, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """The body of a failure; as `error_answer`."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


class RequestFailed(Exception):
    """A request that is answered with a failure.

    Args:
        status, message, param, code: as for `error_answer`.
    """

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code

    def answer(self) -> JSONResponse:
        """As an answer."""
        return error_answer(self.status, self.message, param=self.param, code=self.code)


def explain(error: TiebreakError | TimeoutError) -> tuple[int, str, str | None, str | None]:
    """Status, sentence, field and code of a failure of an engine."""
    if isinstance(error, TimeoutError):
        return 504, "The answer took too long.", None, "timeout"
    if isinstance(error, EngineBusy):
        return 429, str(error.what), None, "engine_busy"
    if isinstance(error, UnknownModel):
        return 404, f"{error.what} There is: {(error.fix or '').removeprefix('one of: ')}.", "model", "model_not_found"
    if isinstance(error, UnfitRequest):
        return 400, error.what, error.where, error.code
    if isinstance(error, UpstreamFailed):
        return 502, error.what, None, "upstream_failed"
    if isinstance(error, EngineClosed):
        return 503, error.what, None, "stopping"
    return 500, error.what if error.exit_code == 1 else "The server failed.", None, None


def failure_answer(error: TiebreakError | TimeoutError) -> JSONResponse:
    """A failure of an engine as an answer."""
    status, message, param, code = explain(error)
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, EngineBusy) else {}
    return error_answer(status, message, param=param, code=code, headers=headers)


def register(app: FastAPI) -> None:
    """Let every failure of an app have OpenAI's shape."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _failed)
    app.add_exception_handler(RequestFailed, _failed)
    app.add_exception_handler(TiebreakError, _failed)
    app.add_exception_handler(Exception, _failed)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return error_answer(400, "The body is not valid JSON.")
    # Names of fields and positions in lists; the names that the checker has for its own types are dropped.
    path = [str(part) for part in first["loc"] if part != "body" and _FIELD.fullmatch(str(part))]
    if first["type"] == "together":
        path.append(str(first["ctx"]["where"]))
    # The value itself is not repeated: it may be long, or no text at all.
    param = ".".join(path) or None
    return error_answer(400, f"{first['msg']}." if param is None else f"{param}: {first['msg']}.", param=param)


async def _failed(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return error_answer(error.status_code, str(error.detail), headers=error.headers)
    if isinstance(error, RequestFailed):
        return error.answer()
    if isinstance(error, TiebreakError):
        return failure_answer(error)
    return error_answer(500, "The server failed.")  # foreseen by nobody: the traceback goes to the log
