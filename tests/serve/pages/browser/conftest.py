"""One server and one browser for all tests of this folder, and a page whose every step outside is noticed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.chromium import chromium
from tests.serve.pages.browser.steps import PATIENCE
from tests.serve.pages.engine_double import EngineDouble
from tests.serve.pages.site import Wire, serving
from tiebreak.serve.pages import PageSettings
from tiebreak.votes import open_votes
from tiebreak.votes.store import VoteStore

FOLDER = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before what is not asked for is left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A real browser takes its time: these tests are journeys."""
    for item in items:
        if item.path.is_relative_to(FOLDER):
            item.add_marker(pytest.mark.journey)


@dataclass(frozen=True)
class Site:
    """What is served, from behind."""

    url: str
    wire: Wire
    engine: EngineDouble
    votes: VoteStore
    runs: Path


@dataclass
class Noticed:
    """What a page did that it must never do."""

    elsewhere: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="package")
def whole_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    engine, runs = EngineDouble(), folder / "runs"
    runs.mkdir()
    settings = PageSettings(refresh_seconds=0.3, votes_a_page=3)
    with (
        open_votes(str(folder / "votes.db")) as votes,
        serving(engine, votes, runs, settings) as (url, wire),
    ):
        yield Site(url, wire, engine, votes, runs)


@pytest.fixture
def site(whole_site: Site) -> Iterator[Site]:
    engine = whole_site.engine
    engine.pause, engine.busy, engine.script, engine.abandoned = 0.0, False, {}, 0
    engine.requests.clear()
    whole_site.wire.begin()
    yield whole_site
    for vote in whole_site.votes.votes(limit=1000):
        whole_site.votes.withdraw(vote.id)


@pytest.fixture(scope="package")
def context(browser: Any) -> Iterator[Any]:
    """One visitor for all tests, so that what is read once need not be read again."""
    opened = browser.new_context(
        viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    )
    opened.set_default_timeout(PATIENCE * 1000)
    yield opened
    opened.close()


@pytest.fixture
def page(context: Any, site: Site) -> Iterator[Any]:
    """The open page; whatever was asked, no script of a text ran and nothing was fetched from elsewhere."""
    opened, noticed = context.new_page(), Noticed()

    def accept(dialog: Any) -> None:
        noticed.dialogs.append(dialog.message)
        dialog.accept()

    def look(asked: Any) -> None:
        if not asked.url.startswith((site.url, "data:", "blob:")):
            noticed.elsewhere.append(asked.url)

    opened.on("pageerror", lambda error: noticed.errors.append(str(error)))
    opened.on("request", look)
    opened.on("dialog", accept)
    opened.goto(site.url)
    opened.get_by_role("button", name="Generate Response").wait_for()
    yield opened
    if not opened.is_closed():
        assert opened.evaluate("window.__pwned") is None
        opened.close()
    assert noticed.elsewhere == []
    assert noticed.errors == []
    assert [message for message in noticed.dialogs if not message.startswith(("Withdraw", "Delete"))] == []
