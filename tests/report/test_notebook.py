"""A run in a notebook: table and curves, in the colours of the page, with every text escaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from tiebreak.report.notebook import failed_html, run_html, table_html
from tiebreak.runs.manifest import Manifest

NASTY = "<script>alert(1)</script>&\"'\u202e"
ROWS: list[dict[str, Any]] = [
    {"step": 1, "loss": 0.7, "epoch": 0.1},
    {"step": 2, "loss": 0.6, "epoch": 0.2},
    {"step": 2, "eval_loss": 0.65, "eval_rewards/accuracies": 0.5, "epoch": 0.2},
]


class _Balanced(HTMLParser):
    """Counts elements that are opened and not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _check(html: str) -> None:
    parser = _Balanced()
    parser.feed(html)
    assert not parser.open
    assert "<script" not in html
    assert "\u202e" not in html
    assert not re.search(r"https?://(?!www\.w3\.org)", html)  # nothing is loaded from elsewhere
    assert not re.search(r"(?<!-)\bcolor: ?(?:#000|black|white)", html)  # neither on light nor on dark alone


def _manifest(**fields: Any) -> Manifest:
    return Manifest().replace(**fields)


def test_a_finished_run_shows_before_and_after_and_curves() -> None:
    measured = {"eval_loss": 0.7, "eval_rewards/accuracies": 0.4}
    after = {"eval_loss": 0.65, "eval_rewards/accuracies": 0.5}
    html = run_html(_manifest(status="finished", before=measured, after=after, measured=True), ROWS, name="mine")
    _check(html)
    assert html.count("<table") == 2  # before and after, and the steps
    assert "<svg" in html
    assert "currentColor" in html
    assert "0.650" in html or "0.65" in html


@pytest.mark.parametrize("status", [None, "running", "failed", "interrupted"])
def test_a_run_that_is_not_finished_shows_what_there_is(status: Any) -> None:
    html = run_html(_manifest(status=status, error=NASTY if status == "failed" else None), [], name=NASTY)
    _check(html)
    assert (status or "not begun") in html
    assert "&lt;script&gt;" in html


def test_other_texts_are_escaped_too() -> None:
    _check(table_html([(NASTY, NASTY)]))
    _check(failed_html(NASTY))
