"""A real browser for tests, where there is one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser, or a reason to skip."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install 'tiebreak[dev]'")
    if CHROMIUM is None:
        pytest.skip("needs chromium or Chrome on PATH: apt-get install chromium")
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


def axe_script() -> str:
    """What finds faults of accessibility in a page."""
    axe = pytest.importorskip(
        "axe_playwright_python", reason="needs axe-playwright-python: pip install 'tiebreak[dev]'"
    )
    return (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


def serious_faults(page: Any) -> list[Any]:
    """The serious faults of accessibility of a page in which `axe_script` ran."""
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        (one["id"], [(node["target"], node["failureSummary"]) for node in one["nodes"]][:3])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
