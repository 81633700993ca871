"""The app: the guards, the API, its health and its figures; pages are mounted on it by whoever builds them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tiebreak.serve import api_errors
from tiebreak.serve.engine import Engine
from tiebreak.serve.guard import Guard
from tiebreak.serve.limits import BodyLimit, RateLimit
from tiebreak.serve.metrics import Metrics
from tiebreak.serve.openai_api import Api, failures, routes
from tiebreak.serve.settings import ServeSettings, check_settings
from tiebreak.serve.shapes import Health
from tiebreak.version import __version__

# Mounts pages on an app, and gives the app back.
Mount = Callable[[FastAPI], FastAPI]
_FIGURES: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}}}}


def create_app(engine: Engine, settings: ServeSettings, *, mount: Mount | None = None) -> FastAPI:
    """Build the app.

    The engine is closed when the app ends. `app.state` holds `engine`, `settings`, `metrics` and `rate_limit`, for
    the pages.

    Args:
        engine: what generates.
        settings: of the server.
        mount: mounts pages, at `/` or elsewhere, behind the routes of the API; their Content-Security-Policy comes
            from `settings.policies`.
    Returns:
        The app. Its OpenAPI document is at `/openapi.json`; there is no page that draws it, since that would need
        scripts from elsewhere.
    Raises:
        InputError: the settings would open the server to others.
    """
    check_settings(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await engine.close()

    app = FastAPI(
        title="Tiebreak", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan, redirect_slashes=False
    )
    metrics, rate = Metrics(engine.load), RateLimit(settings.limits.requests_per_minute)
    app.state.engine, app.state.settings, app.state.metrics, app.state.rate_limit = engine, settings, metrics, rate
    api_errors.register(app)

    @app.get("/healthz", response_model=Health, responses=failures(403), tags=["server"])
    async def healthz() -> Health:
        """Whether the server lives; needs no key."""
        return Health()

    @app.get("/metrics", tags=["server"], response_class=Response, responses=_FIGURES | failures(401, 403))
    async def figures() -> Response:
        """Requests, tokens, waiting, latency and time to the first text, for Prometheus."""
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    app.include_router(routes(Api(engine, settings.limits, metrics, rate)))
    _without_422(app)
    # The last one added is the first one that a request meets.
    app.add_middleware(BodyLimit, max_bytes=settings.limits.body_bytes)
    app.add_middleware(Guard, settings=settings)
    app.add_middleware(_Counted, metrics=metrics)
    return mount(app) if mount is not None else app


def _without_422(app: FastAPI) -> None:
    """Take the status that FastAPI promises for wrong requests out of the document: here it is 400."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        document = make()
        for operations in document["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("422", None)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


class _Counted:
    """Counts requests by endpoint and status; paths that are none of ours are one endpoint."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, began, endpoint = 499, time.perf_counter(), _endpoint(str(scope["path"]))

        async def send_counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_counted)
        finally:
            self.metrics.requests.labels(endpoint, str(status)).inc()
            self.metrics.latency.labels(endpoint).observe(time.perf_counter() - began)


def _endpoint(path: str) -> str:
    known = ("/v1/chat/completions", "/v1/completions", "/v1/models", "/healthz", "/metrics")
    return next((one for one in known if path == one or path.startswith(one + "/")), "other")
