"""Who may ask, and from where: keys, names of the server, other sites' pages, sizes of bodies.

Every request passes here before anything else. Written for ASGI, so that streams pass through untouched.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tiebreak.serve.api.clients import KeyTries, RateLimit, address_of, client_of, mark
from tiebreak.serve.api.cors import cors_headers, preflight
from tiebreak.serve.api.errors import error_answer
from tiebreak.serve.settings import DATA_POLICY, ServeSettings

__all__ = ["BodyLimit", "Guard", "RateLimit", "client_of"]

# Says that the server lives, and nothing else.
_OPEN = frozenset({"/healthz"})
_BODY_SECONDS = 30.0
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """Lets through what may come in, and puts the headers of safety on every answer.

    Args:
        app: what comes after.
        settings: of the server.
    """

    def __init__(self, app: ASGIApp, *, settings: ServeSettings) -> None:
        self.app, self.settings = app, settings
        self._tries = KeyTries(settings.limits.key_tries_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        cors = cors_headers(scope, headers, self.settings.cors_origins)
        refused = self._misplaced(scope, headers, cors)
        if scope["type"] == "websocket":
            if refused is None and self._unknown(scope, headers) is None:
                await self.app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        send = _with_headers(send, policy_for(str(scope["path"]), self.settings.policies), cors)
        if refused is not None:
            await error_answer(403, refused)(scope, receive, send)
            return
        answer = preflight(scope, headers, cors) or self._unknown(scope, headers) or self.app
        await answer(scope, receive, send)

    def _misplaced(self, scope: Scope, headers: Headers, cors: Mapping[str, str]) -> str | None:
        """Why a request is not taken from where it comes; None where it is."""
        if not host_allowed(headers.get("host", ""), self.settings.hosts):
            return "The server does not answer to this name."
        if not cors and is_cross_site(scope, headers):
            return "Pages of other sites cannot use this server."
        return None

    def _unknown(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        """The refusal of who has no right key; None lets in, with a mark of whom the request counts for."""
        address = address_of(scope, self.settings.trusted_proxies)
        if not self.settings.guarded or scope["path"] in _OPEN:
            mark(scope, address, "")
            return None
        given = headers.get("authorization", "")
        if wait := self._tries.wait(address, given):
            message = "Too many keys have been tried from this address."
            return error_answer(429, message, code="too_many_keys", headers={"Retry-After": str(wait)})
        known = known_as(given, self.settings)
        if known is None:
            ask = {"WWW-Authenticate": 'Basic realm="tiebreak", charset="UTF-8"'}
            return error_answer(401, "The API key is missing or wrong.", code="invalid_api_key", headers=ask)
        self._tries.right(address, given)
        mark(scope, address, known)
        return None


def host_allowed(host: str, allowed: tuple[str, ...] | None) -> bool:
    """Whether the server answers to a name; a page elsewhere may have bound its own name to our address.

    Args:
        host: the header, with or without a port.
        allowed: names without a port; None is any.
    """
    if allowed is None:
        return True
    name, colon, port = host.lower().rpartition(":")
    if not colon or not port.isdigit():  # no port, or the end of a bare IPv6 address
        name = host.lower()
    return name in allowed


def is_cross_site(scope: Scope, headers: Headers) -> bool:
    """Whether a page of another site makes this request; programs that are no browsers say nothing of it.

    What changes something must come from our own pages. What only reads may be followed to by a link from anywhere,
    but not be built into a page of another site.
    """
    site = headers.get("sec-fetch-site")
    safe = scope["type"] == "http" and scope["method"] in _SAFE
    if site is not None and site not in ("same-origin", "none"):
        followed = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        return not (safe and followed)
    origin = headers.get("origin")
    if safe or origin is None:
        return False
    # Only host and port are compared: a proxy before us may speak https.
    return origin.partition("://")[2].lower() != headers.get("host", "").lower()


def known_as(authorization: str, settings: ServeSettings) -> str | None:
    """The right key, or user and password, in the header of a request; None where there is none.

    Every comparison takes the same time. A key also opens the pages, as the password of any user, since browsers send
    no other credentials on their own.
    """
    kind, _, given = authorization.partition(" ")
    if kind.lower() == "bearer":
        return _equal(given.strip().encode(), settings.api_keys)
    if kind.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(given.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    by_user = _equal(decoded, [":".join(settings.auth)] if settings.auth else [])
    by_key = _equal(decoded.partition(b":")[2], settings.api_keys)
    return by_user or by_key


def _equal(given: bytes, wanted: Sequence[str]) -> str | None:
    found = [one for one in wanted if hmac.compare_digest(given, one.encode())]  # all are looked at, whichever fits
    return found[0] if found else None


def policy_for(path: str, policies: tuple[tuple[str, str], ...]) -> str:
    """The Content-Security-Policy of a path: that of the longest beginning that fits.

    Args:
        path: of the request.
        policies: beginnings of paths, each with its policy.
    """
    fitting = [(len(start), policy) for start, policy in policies if path.startswith(start)]
    return max(fitting)[1] if fitting else DATA_POLICY


def _with_headers(send: Send, policy: str, more: Mapping[str, str]) -> Send:
    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in {**_HEADERS, "Content-Security-Policy": policy, **more}.items():
                headers[name] = value
        await send(message)

    return send_with


class BodyLimit:
    """Takes in the body of a request before anything else sees it, up to a size and within a time.

    Args:
        app: what comes after.
        max_bytes: longest body.
        seconds: within which it must have come.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, seconds: float = _BODY_SECONDS) -> None:
        self.app, self.max_bytes, self.seconds = app, max_bytes, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        stated = Headers(scope=scope).get("content-length", "0")
        if stated.isdigit() and int(stated[:20]) > self.max_bytes:
            await self._too_large(scope, receive, send)
            return
        body, complete = bytearray(), False
        try:
            async with asyncio.timeout(self.seconds):
                while not complete:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return
                    body += message.get("body", b"")
                    complete = not message.get("more_body", False)
                    if len(body) > self.max_bytes:
                        await self._too_large(scope, receive, send)
                        return
        except TimeoutError:
            answer = error_answer(
                408, "The body of the request took too long to come.", headers={"Connection": "close"}
            )
            await answer(scope, receive, send)
            return
        await self.app(scope, _again(bytes(body), receive), send)

    async def _too_large(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = f"The body of the request is longer than {self.max_bytes} bytes."
        answer = error_answer(413, message, code="request_too_large", headers={"Connection": "close"})
        await answer(scope, receive, send)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body that was taken in, and then whatever comes after it."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
