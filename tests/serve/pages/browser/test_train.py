"""Training from the Runs page in a real browser."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serve.live import live
from tests.serve.pages.browser.conftest import Site
from tests.serve.pages.browser.steps import open_page, until, write
from tests.serve.pages.engine_double import EngineDouble
from tiebreak.runs.folder import RunFolder
from tiebreak.serve.app import create_app
from tiebreak.serve.pages import PAGE_POLICY, PageSettings, mount_pages
from tiebreak.serve.pages.trainings import Trainings
from tiebreak.serve.settings import ServeSettings

_RECIPE = """
model: {name: "bundled:base"}
data: {source: "bundled:preferences", max_length: 256, limit: 120}
train: {learning_rate: 1.0e-4, batch_size: 2, epochs: 200, log_every: 1, save_every: 0.25}
evaluate: {judge: none, samples: 0}
"""


@pytest.fixture
def ending(site: Site) -> Iterator[None]:
    """No training outlives its test."""
    yield
    trainings = Trainings(site.runs)
    trainings.stop()
    trainings.stop()
    shutil.rmtree(site.runs / "from-the-page", ignore_errors=True)


def _open(page: Any) -> None:
    open_page(page, "Runs")
    page.get_by_role("button", name="Train a model").click()
    page.locator("#train-go").wait_for()


def _start(page: Any, recipe: str, **fields: str) -> None:
    page.get_by_label("A file or another source").check()
    write(page.locator("#train-recipe input"), recipe)
    page.keyboard.press("Enter")
    for name, text in fields.items():
        write(page.locator(f"#train-{name}").locator("input, textarea"), text)
    page.locator("#train-go").click()


def test_a_model_is_trained_from_the_page_watched_stopped_and_gone_on_with(
    page: Any, context: Any, site: Site, ending: None, tmp_path: Path
) -> None:
    recipe = tmp_path / "small.yaml"
    recipe.write_text(_RECIPE, encoding="utf-8")
    _open(page)
    _start(page, "nonsense")
    page.get_by_text("There is no built-in recipe 'nonsense'.").wait_for()
    _start(page, str(recipe), source="bundled:preferences", name="from-the-page")
    page.get_by_role("heading", name="from-the-page running").wait_for()
    page.close()  # the training goes on
    again = context.new_page()
    again.goto(site.url)
    open_page(again, "Runs")
    again.get_by_text("“from-the-page” is being trained.").wait_for()
    again.get_by_role("button", name="Train a model").click()
    until(again.locator("#train-go").is_disabled, again)
    run = RunFolder(site.runs / "from-the-page")
    until(run.metrics_path.exists, again)
    again.get_by_role("button", name="from-the-page").click()
    again.locator("figure[data-figure=loss] svg").wait_for()
    again.get_by_role("progressbar", name="Progress of training").wait_for()
    again.get_by_role("button", name="Stop the training").click()
    again.get_by_text("“from-the-page” was stopped.").wait_for()
    assert run.load_manifest().status == "interrupted"
    assert run.last_checkpoint() is not None
    again.get_by_role("button", name="Go on with it").click()
    again.get_by_role("button", name="Stop the training").wait_for()
    again.get_by_role("button", name="Stop the training").click()
    again.get_by_text("“from-the-page” was stopped.").wait_for()
    again.close()


def test_what_the_doctor_stops_is_trained_where_it_is_wanted_anyway(
    page: Any, site: Site, ending: None, tmp_path: Path
) -> None:
    recipe = tmp_path / "hopeless.yaml"
    recipe.write_text(_RECIPE.replace("1.0e-4", "0.5"), encoding="utf-8")
    _open(page)
    _start(page, str(recipe), source="bundled:preferences", name="from-the-page")
    page.get_by_text("“from-the-page” could not begin. Nothing can come of this run").wait_for()
    page.get_by_label("Train anyway").check()
    page.locator("#train-go").click()
    page.get_by_role("heading", name="from-the-page running").wait_for()


def test_a_key_that_may_ask_but_not_train_starts_nothing(browser: Any, tmp_path: Path) -> None:
    engine = EngineDouble()
    settings = ServeSettings(policies=(("/", PAGE_POLICY),), api_keys=("asks", "trains"), train_keys=("trains",))
    app = create_app(
        engine,
        settings,
        mount=lambda app: mount_pages(app, engine, votes=None, runs=tmp_path, settings=PageSettings()),
    )
    with live(app) as url:
        for key, said in (("asks", "You may not train here."), ("trains", "There is no built-in recipe")):
            word = base64.b64encode(f"x:{key}".encode()).decode()
            page = browser.new_context(extra_http_headers={"Authorization": f"Basic {word}"}).new_page()
            page.goto(url)
            _open(page)
            write(page.locator("#train-recipe input"), "nonsense")
            page.keyboard.press("Enter")
            page.locator("#train-go").click()
            page.get_by_text(said).wait_for()
            page.context.close()


@pytest.mark.parametrize("off", [{"train": False}, {"trusted_proxies": ("127.0.0.1",)}])
def test_where_training_is_off_the_page_has_no_such_part(browser: Any, tmp_path: Path, off: dict[str, Any]) -> None:
    engine, settings = EngineDouble(), ServeSettings(policies=(("/", PAGE_POLICY),), **off)
    app = create_app(
        engine, settings, mount=lambda app: mount_pages(app, engine, votes=None, runs=tmp_path, settings=PageSettings())
    )
    with live(app) as url:
        page = browser.new_page()
        page.goto(url)
        open_page(page, "Runs")
        page.get_by_text("There are no runs yet.").wait_for()
        assert page.get_by_role("button", name="Train a model").count() == 0
        page.close()
