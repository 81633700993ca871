"""The app: the guards, the API, its health and its metrics; pages are mounted on it by whoever builds them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST

from tiebreak.serve.api import errors
from tiebreak.serve.api.answering import Api
from tiebreak.serve.api.answers import Health
from tiebreak.serve.api.guard import BodyLimit, Guard, RateLimit
from tiebreak.serve.api.metrics import CountedRequests, Metrics
from tiebreak.serve.api.paths import unserved_routes
from tiebreak.serve.api.routes import failures, routes
from tiebreak.serve.generation.engine import Engine
from tiebreak.serve.settings import ServeSettings, check_settings
from tiebreak.version import __version__

# Mounts pages on an app, and gives the app back.
Mount = Callable[[FastAPI], FastAPI]
# Of the paths that are never a page.
_BEGINNINGS = ("/v1", "/healthz", "/metrics", "/openapi.json")
_METRICS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}}}}


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
    errors.register(app)

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", response_model=Health, responses=failures(403), tags=["server"])
    async def healthz() -> Health:
        """Whether the server lives; needs no key."""
        return Health()

    @app.head("/metrics", include_in_schema=False)
    @app.get("/metrics", tags=["server"], response_class=Response, responses=_METRICS | failures(401, 403))
    async def prometheus() -> Response:
        """Requests, tokens, waiting, latency and time to the first text, for Prometheus."""
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    openai = routes(Api(engine, settings.limits, metrics, rate))
    app.include_router(openai)
    app.router.routes.extend(unserved_routes([*app.routes, *openai.routes], _BEGINNINGS))
    _without_422(app)
    # The last one added is the first one that a request meets.
    app.add_middleware(BodyLimit, max_bytes=settings.limits.body_bytes)
    app.add_middleware(Guard, settings=settings)
    app.add_middleware(CountedRequests, metrics=metrics)
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
