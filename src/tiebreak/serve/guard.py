"""Who may ask, and from where: credentials, names of the server, requests that other sites' pages make, headers.

Every request passes here before anything else. Written for ASGI, so that streams pass through untouched.
"""

from __future__ import annotations

import base64
import binascii
import hmac

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tiebreak.serve.api_errors import error_answer
from tiebreak.serve.settings import DATA_POLICY, ServeSettings

# Says that the server lives, and nothing else.
_OPEN = frozenset({"/healthz"})
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._refusal(scope, headers)
        if scope["type"] == "websocket":
            if refused is None:
                await self.app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        send = _with_headers(send, policy_for(str(scope["path"]), self.settings.policies))
        if refused is None:
            await self.app(scope, receive, send)
            return
        status, message = refused
        extra = {"WWW-Authenticate": 'Basic realm="tiebreak", charset="UTF-8"'} if status == 401 else {}
        code = "invalid_api_key" if status == 401 else None
        await error_answer(status, message, code=code, headers=extra)(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        if not host_allowed(headers.get("host", ""), self.settings.hosts):
            return 403, "The server does not answer to this name."
        if is_cross_site(scope, headers):
            return 403, "Pages of other sites cannot use this server."
        guarded = self.settings.guarded and scope["path"] not in _OPEN
        if guarded and not is_known(headers.get("authorization", ""), self.settings):
            return 401, "The API key is missing or wrong."
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
    # Only the place is compared: a proxy before us may speak https.
    return origin.partition("://")[2].lower() != headers.get("host", "").lower()


def is_known(authorization: str, settings: ServeSettings) -> bool:
    """Whether the header of a request has a key, or user and password; every comparison takes the same time.

    A key also opens the pages, as the password of any user, since browsers send no other credentials on their own.
    """
    kind, _, given = authorization.partition(" ")
    keys = [key.encode() for key in settings.api_keys]
    if kind.lower() == "bearer":
        return _any_equal(given.strip().encode(), keys)
    if kind.lower() != "basic":
        return False
    try:
        decoded = base64.b64decode(given.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    pairs = [":".join(settings.auth).encode()] if settings.auth else []
    by_key = _any_equal(decoded.partition(b":")[2], keys)
    return _any_equal(decoded, pairs) or by_key


def _any_equal(given: bytes, wanted: list[bytes]) -> bool:
    return bool(sum([hmac.compare_digest(given, one) for one in wanted]))  # all are looked at, whichever fits


def policy_for(path: str, policies: tuple[tuple[str, str], ...]) -> str:
    """The Content-Security-Policy of a path: that of the longest beginning that fits.

    Args:
        path: of the request.
        policies: beginnings of paths, each with its policy.
    """
    fitting = [(len(start), policy) for start, policy in policies if path.startswith(start)]
    return max(fitting)[1] if fitting else DATA_POLICY


def _with_headers(send: Send, policy: str) -> Send:
    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in {**_HEADERS, "Content-Security-Policy": policy}.items():
                headers[name] = value
        await send(message)

    return send_with
