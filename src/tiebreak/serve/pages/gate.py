"""Which of Gradio's own addresses are open: those that the pages use, and no other.

Gradio brings uploads, files, proxies, recordings, histories and more. None of that is used here, so none of it answers.
"""

from __future__ import annotations

import re

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tiebreak.serve.limits import RateLimit, client_of
from tiebreak.serve.pages.settings import PAGE_POLICY

_READ = re.compile(
    r"/|/config/?|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json|/static/[\w./-]+|/assets/[\w./-]+"
    r"|/gradio_api/(theme\.css|startup-events|queue/data|heartbeat/\w+)"
)
_WRITE = re.compile(r"/gradio_api/(queue/join|cancel|reset|run/predict)/?")
# The browser says what it wants in these; of the others Gradio would look for files by what stands in the query.
_ASKS = ("/gradio_api/queue/data",)
_COUNTED = ("/gradio_api/queue/join", "/gradio_api/run/")


class Gate:
    """Stands before Gradio's application.

    Args:
        app: Gradio's application.
        rate: how much one client may ask; None is no limit.
    """

    def __init__(self, app: ASGIApp, rate: RateLimit | None = None) -> None:
        self.app, self.rate = app, rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":  # the pages use none
                await send({"type": "websocket.close", "code": 1008})
            return
        path, method = str(scope["path"]), scope["method"]
        pattern = _READ if method in ("GET", "HEAD") else _WRITE if method == "POST" else None
        if pattern is None or ".." in path or not pattern.fullmatch(path):
            await PlainTextResponse("There is nothing here.", status_code=404)(scope, receive, _with_headers(send))
            return
        if self.rate is not None and path.startswith(_COUNTED) and (wait := self.rate.wait(client_of(scope))):
            answer = PlainTextResponse("Too many requests.", status_code=429, headers={"Retry-After": str(wait)})
            await answer(scope, receive, _with_headers(send))
            return
        if path not in _ASKS:
            scope = {**scope, "query_string": b""}
        await self.app(scope, receive, _with_headers(send, lasting=path.startswith("/assets/")))


def _with_headers(send: Send, *, lasting: bool = False) -> Send:
    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = PAGE_POLICY
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "no-referrer"
            if lasting and message["status"] == 200:  # the name of an asset changes when its content does
                headers["Cache-Control"] = "public, max-age=31536000, immutable"
        await send(message)

    return send_with
