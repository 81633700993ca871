"""What the server counts, for Prometheus: requests, tokens, waiting, latency, time to the first token."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tiebreak.serve.generation.engine import Load, Piece

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """The metrics of one app, in a registry of their own.

    Args:
        load: how busy the engine is.
    """

    def __init__(self, load: Callable[[], Load]) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.requests = Counter(
            "tiebreak_requests", "Requests by endpoint and status.", ["endpoint", "status"], registry=own
        )
        self.tokens = Counter("tiebreak_tokens", "Tokens by model and kind.", ["model", "kind"], registry=own)
        self.latency = Histogram(
            "tiebreak_request_seconds", "Time of whole requests.", ["endpoint"], buckets=_SECONDS, registry=own
        )
        self.first = Histogram(
            "tiebreak_first_token_seconds",
            "Time to the first text of a stream.",
            ["model"],
            buckets=_SECONDS,
            registry=own,
        )
        self.cancelled = Counter(
            "tiebreak_cancelled_requests", "Requests whose client went away before the end.", registry=own
        )
        Gauge("tiebreak_queue_length", "Requests that wait.", registry=own).set_function(lambda: load().waiting)
        Gauge("tiebreak_running_requests", "Requests that are answered now.", registry=own).set_function(
            lambda: load().running
        )

    def text(self) -> bytes:
        """In the text format of Prometheus."""
        return generate_latest(self.registry)

    def count(self, model: str, last: Piece) -> None:
        """Count the tokens of a finished answer."""
        self.tokens.labels(model, "prompt").inc(last.prompt_tokens)
        self.tokens.labels(model, "completion").inc(last.completion_tokens)

    def begun(self, model: str, since: float) -> None:
        """Note the first text of a stream.

        Args:
            model: name of a served model.
            since: `time.perf_counter()` when the request came.
        """
        self.first.labels(model).observe(time.perf_counter() - since)


class CountedRequests:
    """Counts requests by endpoint and status; paths that are none of ours are one endpoint.

    Args:
        app: what comes after.
        metrics: where it is counted.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
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
    known = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/models", "/healthz", "/metrics")
    return next((one for one in known if path == one or path.startswith(one + "/")), "other")
