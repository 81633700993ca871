"""The page of an evaluation is one safe file: whatever texts are in it, nothing but its own script runs."""

from __future__ import annotations

import base64
import hashlib
import math
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.report.test_page import HOSTILE, Page
from tiebreak.errors import InputError
from tiebreak.report.evaluation_page import (
    SHARES,
    EvaluationPage,
    Example,
    Interval,
    Picture,
    Row,
    Section,
    Side,
    Table,
    around_zero,
    draw,
    render,
    write_page,
)
from tiebreak.report.page_file import check_page

RTL = "\u202eabc\u2066\u200f\u05d0\u05d1\u05d2\u061c"
LONG = "x" * 100_000
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def page_of(words: str) -> EvaluationPage:
    """A page in which every text is the same."""
    row = Row(words, (words, words), Interval(0.5, 0.4, 0.6), "better", (1.0, None))
    table = Table((words, words, words), (row, row), words, words, SHARES, sortable=True)
    side = Side(words, words, ((words, "worse"), (words, "")))
    section = Section(
        title=words,
        note=words,
        tables=(table,),
        pictures=(Picture(words, "<svg><rect/></svg>", words),),
        facts=((words, words),),
        examples=(Example(words, ((words, words),) * 9, (side, side), words),),
        code=((words, words),),
    )
    return EvaluationPage(words, words, words, (words,), (section,) * 4)


@pytest.mark.parametrize(
    "words", [HOSTILE, RTL, LONG, "</script><script>x()</script>", "--><!--", "", "\x00\x1b[0m\ud800"]
)
def test_no_element_or_attribute_comes_from_a_text(words: str) -> None:
    hostile, tame = Page(render(page_of(words))), Page(render(page_of("tame" if words else "")))
    assert hostile.elements == tame.elements
    assert [name for name, _ in hostile.attributes] == [name for name, _ in tame.attributes]
    values = [value for name, value in hostile.attributes if name not in ("data-side", "content")]
    assert values == [value for name, value in tame.attributes if name not in ("data-side", "content")]
    assert hostile.elements["script"] == 1
    assert hostile.comments == []


def test_texts_are_shown_as_they_were_written_and_shortened() -> None:
    words = Page(render(page_of(HOSTILE))).words
    assert "<script>alert(1)</script><img src=x onerror=alert(1)>" in words
    assert "{{ 7 * 7 }}{% if %}" in words
    assert "\u202e" not in words
    written = render(page_of(LONG))
    assert "more characters" in written
    assert len(written) < 250_000


def test_only_the_script_of_the_page_may_run() -> None:
    written = render(page_of("tame"))
    (script,) = re.findall(r"<script>(.*?)</script>", written, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(value for name, value in Page(written).attributes if name == "content" and "default" in str(value))
    assert policy == (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )


def test_the_page_names_nothing_elsewhere() -> None:
    page = Page(render(page_of("tame")))
    links = [str(value) for name, value in page.attributes if name in ("src", "href")]
    assert links == ["#part-1", "#part-2", "#part-3", "#part-4"]
    ids = [value for name, value in page.attributes if name == "id"]
    assert ids == ["part-1", "part-2", "part-3", "part-4"]


def test_a_page_of_little_shows_little() -> None:
    page = Page(render(EvaluationPage("a", "", "asked", (), (Section("only"),))))
    assert page.elements["table"] == page.elements["nav"] == page.elements["ul"] == page.elements["details"] == 0
    assert page.elements["h2"] == 1
    assert "None" not in page.words


def test_a_table_of_one_row_is_not_sorted_and_what_cannot_be_sorted_says_nothing() -> None:
    row = Row("a", ("1", "2"), sort=(1.5, None))
    table = Table(("", "x", "y"), (row,), sortable=True)
    page = EvaluationPage("a", "", "", (), (Section("only", tables=(table,)),))
    assert '<table class="figures">' in render(page)
    both = replace(table, rows=(row, row))
    written = render(replace(page, sections=(Section("only", tables=(both,)),)))
    assert '<table class="figures" data-sortable>' in written
    assert written.count('data-sort="1.5"') == written.count('data-sort=""') == 2


def test_an_interval_is_drawn_at_its_place() -> None:
    assert draw(Interval(0.5, 0.25, 1.0), SHARES) == (
        '<svg class="interval" aria-hidden="true">'
        '<line class="chance" x1="50.00%" y1="0" x2="50.00%" y2="100%"/>'
        '<line class="range" x1="25.00%" y1="50%" x2="100.00%" y2="50%"/>'
        '<circle class="dot" cx="50.00%" cy="50%" r="4.5"/></svg>'
    )


def test_what_cannot_be_drawn_is_left_out() -> None:
    assert "circle" not in draw(Interval(math.nan, 0, 1), SHARES)
    assert "range" not in draw(Interval(0.5, -math.inf, 1), SHARES)
    beyond = draw(Interval(2, -1, 3), SHARES)
    assert 'x1="0.00%"' in beyond
    assert 'cx="100.00%"' in beyond


def test_differences_share_a_scale_as_wide_as_the_widest() -> None:
    scale = around_zero([Interval(1, -1, 3), None, Interval(-3, -4, math.inf)], lambda end: f"{end:+.0f}")
    assert scale is not None
    assert (scale.low, scale.mark, scale.high) == (-4, 0, 4)
    assert scale.labels == ("-4", "0", "+4")
    assert around_zero([None], str) is None
    assert around_zero([Interval(0, 0, 0)], str) is None


def test_the_same_page_gives_the_same_bytes() -> None:
    assert render(page_of("tame")) == render(page_of("tame"))


def test_a_file_is_refused_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.html"
    check_page(path)
    path.write_text("mine")
    with pytest.raises(InputError, match="exists"):
        check_page(path)
    check_page(path, force=True)
    (tmp_path / "folder.html").mkdir()
    for name, said in (("page.txt", "no page"), ("folder.html", "is a folder"), ("none/page.html", "no folder")):
        with pytest.raises(InputError, match=said):
            check_page(tmp_path / name, force=True)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(InputError, match="cannot be written to"):
        check_page(tmp_path / "new.html")


def test_a_page_is_written_whole_and_what_was_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_page(page_of("\ud800"), path)  # half a character, which no file can hold
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(InputError, match="exists"):
        write_page(page_of("something else"), path)
    assert "something else" not in path.read_text(encoding="utf-8")
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.journey
def test_in_a_browser_it_fits_sorts_and_lets_no_other_script_run(tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install 'tiebreak[dev]'")
    if CHROMIUM is None:
        pytest.skip("needs chromium or Chrome on PATH: apt-get install chromium")
    rows = tuple(Row(name, (str(value),), sort=(value,)) for name, value in (("b", 2.0), ("a", 10.0), ("c", None)))
    sortable = Section("sorted", tables=(Table(("name", "value"), rows, sortable=True),))
    page = page_of(HOSTILE)
    path = tmp_path / "page.html"
    write_page(replace(page, sections=(sortable, *page.sections)), path)
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=flags)
        shown = chromium.new_page(viewport={"width": 390, "height": 800})
        said: list[str] = []
        shown.on("dialog", lambda dialog: said.append(dialog.message))
        shown.on("console", lambda message: said.append(message.text))
        shown.on("pageerror", lambda error: said.append(str(error)))
        shown.goto(path.as_uri())
        assert shown.evaluate("document.documentElement.scrollWidth") == 390
        shown.set_viewport_size({"width": 1280, "height": 800})
        assert shown.evaluate("document.documentElement.scrollWidth") == 1280
        table = shown.locator("table").first

        def names() -> list[str]:
            return list(table.locator("tbody th").all_text_contents())

        assert names() == ["b", "a", "c"]
        heading = table.locator("thead button").nth(1)
        heading.click()
        assert names() == ["b", "a", "c"]
        assert table.locator("thead th").nth(1).get_attribute("aria-sort") == "ascending"
        heading.click()
        assert names() == ["a", "b", "c"]
        heading.click()
        assert names() == ["b", "a", "c"]
        table.locator("thead button").first.click()
        assert names() == ["a", "b", "c"]
        assert said == []
        chromium.close()
