"""Addresses that lead nowhere, and methods that an address does not take: both are refused in OpenAI's shape.

Pages that are mounted behind the API take every address that is left, and would answer with a page.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from tiebreak.serve.api.errors import error_answer

_SHOWN = 100


class Unserved:
    """Answers for all that is left under some beginnings of paths.

    Args:
        served: the routes there are.
    """

    def __init__(self, served: Iterable[BaseRoute]) -> None:
        self.served = tuple(served)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        path, method = str(scope["path"]), str(scope["method"])
        allowed = sorted({each for route in self.served for each in _methods(route, scope)} - {"OPTIONS"})
        shown = "".join(c for c in path if c.isprintable())[:_SHOWN]
        if allowed:
            message = f"{shown} takes {' and '.join(allowed)}, not {method}."
            answer = error_answer(405, message, code="method_not_allowed", headers={"Allow": ", ".join(allowed)})
        else:
            answer = error_answer(404, f"There is no {shown} here.", code="unknown_url")
        await answer(scope, receive, send)


def _methods(route: BaseRoute, scope: Scope) -> set[str]:
    """Methods of a route, if the path of the request is its own."""
    fits = route.matches(scope)[0] is not Match.NONE
    return set(getattr(route, "methods", None) or ()) if fits else set()


def unserved_routes(served: Iterable[BaseRoute], beginnings: Iterable[str]) -> list[BaseRoute]:
    """Routes for what is left under some beginnings, to be put behind those that are served."""
    rest = Unserved(served)
    return [
        Route(beginning + ending, rest, include_in_schema=False)
        for beginning in beginnings
        for ending in ("", "/{rest:path}")
    ]
