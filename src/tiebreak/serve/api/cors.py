"""Pages of other sites that may use the API: those that are named, and nothing but the API.

What a browser asks beforehand is answered here; the votes and the pages are never open to another site.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

_OPEN = ("/v1/", "/healthz")
_HEADER_NAMES = re.compile(r"[A-Za-z0-9-]+(\s*,\s*[A-Za-z0-9-]+)*")
_SECONDS = "600"


def cors_headers(scope: Scope, headers: Headers, allowed: Sequence[str]) -> dict[str, str]:
    """The headers by which a browser lets a page read the answer; none where the page is not named.

    Args:
        scope, headers: of the request.
        allowed: origins, such as `https://chat.example.org`.
    """
    origin = headers.get("origin", "").lower()
    if scope["type"] != "http" or not allowed or not str(scope["path"]).startswith(_OPEN) or origin not in allowed:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": "Retry-After, X-Tiebreak-Notice",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Vary": "Origin",
    }


def preflight(scope: Scope, headers: Headers, allowed: Mapping[str, str]) -> Response | None:
    """The answer to what a browser asks before a request of another site's page; None where it asks nothing.

    Args:
        scope, headers: of the request.
        allowed: from `cors_headers`.
    """
    if not allowed or scope["method"] != "OPTIONS" or "access-control-request-method" not in headers:
        return None
    wanted = headers.get("access-control-request-headers", "")
    named = wanted if _HEADER_NAMES.fullmatch(wanted) else "Authorization, Content-Type"
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Methods": "GET, HEAD, POST",
            "Access-Control-Allow-Headers": named,
            "Access-Control-Max-Age": _SECONDS,
        },
    )
