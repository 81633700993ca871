"""Connections that are given so much time and so many bytes for the headers of a request, and no more.

What uvicorn itself leaves open: by its default parser headers may be as long as a client likes, and by either one a
client that sends them slowly keeps its connection for good.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from tiebreak.serve.api.errors import error_body

HEADER_BYTES = 64 << 10
HEADER_SECONDS = 15.0
_BIT = 8 << 10


class LimitedConnection(H11Protocol):
    """A connection whose headers must come within a time and a size; what is wrong is said in OpenAI's shape."""

    seconds = HEADER_SECONDS
    _headers_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As asyncio has it."""
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio has it."""
        self._headers_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """As asyncio has it."""
        # Bit by bit: what is whole when it is looked at is taken however long it is.
        for start in range(0, len(data), _BIT):
            super().data_received(data[start : start + _BIT])
            if self.transport.is_closing():
                break
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._await_headers()
        else:
            self._headers_came()

    def send_400_response(self, msg: str) -> None:
        """Say that a request cannot be read, and why."""
        too_long = len(self.conn.trailing_data[0]) >= HEADER_BYTES
        if too_long:
            self._refuse(431, f"The headers of the request are longer than {HEADER_BYTES // 1024} KiB.")
        else:
            self._refuse(400, msg)

    def _await_headers(self) -> None:
        if self._headers_due is None:
            self._headers_due = self.loop.call_later(self.seconds, self._too_late)

    def _headers_came(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None

    def _too_late(self) -> None:
        self._headers_due = None
        if not self.transport.is_closing():
            self._refuse(408, "The headers of the request took too long to come.")

    def _refuse(self, status: int, message: str) -> None:
        body = json.dumps(error_body(status, message)).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        events: list[Any] = [
            h11.Response(status_code=status, headers=headers, reason=b""),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ]
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def server_config(app: ASGIApp, **more: Any) -> uvicorn.Config:
    """How uvicorn serves an app here.

    Args:
        app: the app.
        more: other settings of `uvicorn.Config`.
    """
    return uvicorn.Config(
        app,
        http=LimitedConnection,
        h11_max_incomplete_event_size=HEADER_BYTES,
        log_config=None,  # handlers of loggers are the program's own business
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        **more,
    )
