"""What runs in a Space: the pages before the model of one run, for everybody, and nothing else.

A public demo is an app of its own. `tiebreak serve` refuses to be open to others without a key, and goes on refusing;
here there is no API, no figures and no data to take away, visitors see no votes but their own, and the limits are low.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tiebreak.recipe import ModelSection
from tiebreak.serve.api.answers import Health
from tiebreak.serve.api.guard import BodyLimit, Guard, RateLimit
from tiebreak.serve.generation.engine import Engine
from tiebreak.serve.pages import PAGE_POLICY, PageSettings, mount_pages
from tiebreak.serve.pages.data import EXPORT
from tiebreak.serve.settings import Limits, ServeSettings
from tiebreak.votes.address import parse_address
from tiebreak.votes.filters import VoteFilter
from tiebreak.votes.store import MAX_PAGE, VoteStore
from tiebreak.votes.vote import Vote

CONFIG = "space.json"
PORT_VARIABLE, VOTES_VARIABLE, HOST_VARIABLE = "TIEBREAK_PORT", "TIEBREAK_VOTES", "SPACE_HOST"
PORT = 7860
"""Where a Space is asked."""

_EVERYWHERE = "0.0.0.0"  # a Space is reached from outside its container
_HUB = "https://huggingface.co"
_LIMITS = Limits(prompt_tokens=2048, answer_tokens=512, seconds=120.0, requests_per_minute=600, queue=32, rows=8)
_GRACE_SECONDS = 5
_EVERY = VoteFilter()


class OwnVotesStore(VoteStore):
    """A store that lists votes of one voter only; counting them all, for the numbers on the Compare page, goes on."""

    def votes(
        self, wanted: VoteFilter = _EVERY, *, limit: int = 100, after: str | None = None, newest_first: bool = False
    ) -> list[Vote]:
        """A page of votes, as in `VoteStore`; empty where no voter's key is asked with."""
        if wanted.voter is None:
            return []
        return super().votes(wanted, limit=limit, after=after, newest_first=newest_first)

    def every(self, wanted: VoteFilter = _EVERY) -> Iterator[Vote]:
        """All votes of a filter, oldest first."""
        last: str | None = None
        while page := super().votes(wanted, limit=MAX_PAGE, after=last):
            yield from page
            last = page[-1].id


class SpaceDoor:
    """Lets the Hub show the app in a frame of its page, under the one name that the Space has.

    The guard behind it refuses frames of other sites and names that are not the server's. The Hub's frame is the one
    exception, for the first page only and for reading; what changes something must still come from the app's own pages.

    Args:
        app: what comes after.
        host: public name of the Space, whatever the Hub's proxy writes into the header; None leaves it.
    """

    def __init__(self, app: ASGIApp, *, host: str | None) -> None:
        self.app, self.host = app, host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope = {**scope, "headers": list(scope["headers"])}
        headers = MutableHeaders(scope=scope)
        if self.host is not None:
            headers["host"] = self.host
        if _is_framed(scope, headers):
            headers["sec-fetch-site"] = "none"

        async def send_framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                del MutableHeaders(scope=message)["X-Frame-Options"]  # the policy says who may frame
            await send(message)

        await self.app(scope, receive, send_framed)


def _is_framed(scope: Scope, headers: Headers) -> bool:
    navigates = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "iframe"
    return scope["path"] == "/" and scope["method"] in ("GET", "HEAD") and navigates


@dataclass(frozen=True)
class SpaceSettings:
    """What the Space serves, as `space.json` has it.

    Attributes:
        title: of the browser's tab.
        models: each with `name`, `title`, `source`, and maybe `template`, `base`, `license`.
    """

    title: str
    models: tuple[dict[str, Any], ...]


def read_settings(folder: Path) -> SpaceSettings:
    """Read `space.json`; a source that is a folder beside it becomes its path."""
    held = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    models = [
        {**one, "source": str(folder / one["source"]) if (folder / one["source"]).is_dir() else one["source"]}
        for one in held["models"]
    ]
    return SpaceSettings(str(held["title"]), tuple(models))


def public_app(engine: Engine, votes: VoteStore, folder: Path, title: str, *, host: str | None = None) -> ASGIApp:
    """The pages and a sign of life, for everybody.

    Args:
        engine: that generates; closed at the end.
        votes: the store; closed at the end.
        folder: of the Space; runs would lie in `runs` there, and there are none.
        title: of the browser's tab.
        host: public name of the Space.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await engine.close()
            votes.close()

    app = FastAPI(title=title, openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.rate_limit = RateLimit(_LIMITS.requests_per_minute)

    @app.get("/healthz", response_model=Health)
    async def healthz() -> Health:
        return Health()

    @app.get(EXPORT)  # before the pages, whose own would give everybody's votes to everybody
    async def no_export() -> Response:
        return PlainTextResponse("The votes of all are with the owner of this Space.", status_code=403)

    app.add_middleware(BodyLimit, max_bytes=_LIMITS.body_bytes)
    policy = PAGE_POLICY.replace("frame-ancestors 'none'", f"frame-ancestors 'self' {_HUB}")
    # Open on purpose: any name where the Space has none yet, no key.
    open_to_all = ServeSettings(
        host=_EVERYWHERE, allowed_hosts=(host,) if host else None, policies=(("/", policy),), limits=_LIMITS
    )
    app.add_middleware(Guard, settings=open_to_all)
    pages = PageSettings(
        title=title, correct_all=False, max_tokens=_LIMITS.answer_tokens, max_prompt_chars=8000, seconds=_LIMITS.seconds
    )
    return SpaceDoor(mount_pages(app, engine, votes=votes, runs=folder / "runs", settings=pages), host=host)


def main(folder: Path) -> None:
    """Serve a Space until the process is asked to stop.

    `TIEBREAK_PORT` names another port than 7860, `TIEBREAK_VOTES` another store than `votes.db` in the folder.

    Args:
        folder: with `space.json` and the model.
    """
    import uvicorn

    from tiebreak.serve.generation.loading import Found
    from tiebreak.serve.generation.local import LocalEngine

    settings = read_settings(folder)
    found = [
        Found(
            one["name"],
            one["title"],
            ModelSection(name=one["source"]),  # without code that a model brings along
            one.get("template", "auto"),
            one.get("base"),
            one.get("license"),
        )
        for one in settings.models
    ]
    votes = OwnVotesStore(parse_address(os.environ.get(VOTES_VARIABLE) or str(folder / "votes.db")), create=True)
    engine = LocalEngine(
        found, rows=_LIMITS.rows, queue=_LIMITS.queue, max_prompt_tokens=_LIMITS.prompt_tokens, on_message=_tell
    )
    app = public_app(engine, votes, folder, settings.title, host=os.environ.get(HOST_VARIABLE))
    uvicorn.run(
        app,
        host=_EVERYWHERE,
        port=int(os.environ.get(PORT_VARIABLE) or PORT),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def _tell(sentence: str) -> None:
    print(sentence, flush=True)
