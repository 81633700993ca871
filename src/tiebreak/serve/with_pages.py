"""The pages and the votes' store put together with a server: opened before a model is loaded, closed when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tiebreak.serve.pages import PAGE_POLICY, PageSettings, mount_pages
from tiebreak.serve.settings import DATA_POLICY, ServeSettings
from tiebreak.votes import open_votes

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tiebreak.serve.engine import Engine
    from tiebreak.serve.run import Pages

VOTES = "votes.db"
_NO_PAGES = ("/v1", "/healthz", "/metrics", "/openapi.json")


@contextmanager
def with_pages(settings: ServeSettings, runs: Path) -> Iterator[tuple[ServeSettings, Pages]]:
    """Open the store of votes, and say how the pages are mounted on it.

    Args:
        settings: of the server.
        runs: folder of the runs that the pages show.
    Yields:
        The settings with the pages' policies, and what mounts the pages.
    Raises:
        InputError: the store cannot be opened.
    """
    limits = settings.limits
    policies = (("/", PAGE_POLICY), *((path, DATA_POLICY) for path in _NO_PAGES))
    page_settings = PageSettings(
        max_tokens=limits.answer_tokens,
        default_tokens=min(limits.default_answer_tokens, limits.answer_tokens),
        seconds=limits.seconds,
    )
    with open_votes(settings.votes or VOTES) as store:

        def pages(app: FastAPI, engine: Engine, _: ServeSettings) -> FastAPI:
            return mount_pages(app, engine, votes=store, runs=runs, settings=page_settings)

        yield replace(settings, policies=policies), pages
