"""The report in a real browser: what stands first, values at the pointer, orders, phone, paper, hostile texts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.chromium import axe_script, serious_faults
from tests.report.browser.conftest import Open
from tests.report.made import SAMPLES, make_run, manifest_of, metric_rows
from tests.report.test_page import HOSTILE, hostile_run
from tiebreak.report.page import write_report
from tiebreak.runs.held_out import HeldOutPair, write_held_out

_OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
# What is wider than the screen, but for what is in a box that scrolls.
_WIDE = """() => [...document.querySelectorAll('main *')]
  .filter(one => !one.closest('.wide, pre, svg') && one.getBoundingClientRect().right > innerWidth + 1)
  .map(one => one.outerHTML.slice(0, 100))"""
_LIGHT = """colour => { const [r, g, b] = colour.match(/[0-9.]+/g).map(Number); return (r + g + b) / 765; }"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run that has everything."""
    changes = [
        {"before_tokens": 4, "after_tokens": 5, "before_repetition": 0.5, "after_repetition": 0.0, "gain": 1.0},
        {"before_tokens": 0, "after_tokens": 40, "before_repetition": 0.0, "after_repetition": 0.1, "gain": -7.5},
        {"before_tokens": 9, "after_tokens": 9, "before_repetition": 0.0, "after_repetition": 0.0, "gain": 3.0},
    ]
    same = {**SAMPLES[0], "before": "Three, two, one.", "before_passed": True, "after_passed": False}
    samples = [{**sample, **more} for sample, more in zip((*SAMPLES, same), changes, strict=True)]
    samples[1]["after"] = "A long answer. " * 200
    run = make_run(tmp_path_factory.mktemp("run") / "run", manifest=manifest_of(), rows=metric_rows(), samples=samples)
    pairs = [
        HeldOutPair(
            pair=i,
            prompt="a question " * 12,
            before=i - 20.0,
            after=20.0 - i,
            rewards_before=(0.0, 0.0),
            rewards_after=(1 - i / 20, i / 40),
        )
        for i in range(40)
    ]
    write_held_out(run.held_out_path, pairs)
    return write_report(run)


def places(page: Any) -> list[str]:
    found: list[str] = page.eval_on_selector_all("#answers > article", "all => all.map(one => one.dataset.place)")
    return found


def read(page: Any, number: int = 0) -> str:
    """What stands beneath a plot."""
    return " ".join(page.locator(".read").nth(number).inner_text().split())


def test_what_was_found_stands_first(report: Path, open_file: Open) -> None:
    page = open_file(report)
    sections = page.eval_on_selector_all("main > section", "all => all.map(one => one.className)")
    assert sections[:2] == ["findings", "ran"]
    verdict, heading = page.locator(".findings > :first-child"), page.locator("h2").first
    assert "verdict" in verdict.get_attribute("class")
    assert verdict.bounding_box()["y"] < heading.bounding_box()["y"] < 900


def test_values_are_shown_at_the_pointer(report: Path, open_file: Open) -> None:
    page = open_file(report)
    plot = page.locator(".plot[data-hover]").first
    plot.scroll_into_view_if_needed()
    box = plot.locator("svg").bounding_box()
    assert read(page).startswith("step 300 training 0.")
    # The axes reach from step 0 to step 303, from 54.6 to 344.4 of 420.
    x = box["x"] + box["width"] * (54.6 + 289.8 * 201 / 303) / 420
    page.mouse.move(x, box["y"] + box["height"] / 2)
    row = next(row for row in metric_rows() if row["step"] == 200 and "loss" in row)
    held_out = next(row for row in metric_rows() if row["step"] == 200 and "eval_loss" in row)
    assert read(page) == f"step 200 training {row['loss']:.4g} held-out {held_out['eval_loss']:.4g}"
    page.mouse.move(x + box["width"] * 289.8 * 10 / 303 / 420, box["y"] + box["height"] / 2)
    assert read(page).startswith("step 210 ")
    assert read(page).endswith("at step 200")  # nothing was measured nearer
    rule = plot.locator("svg > g:last-child")
    assert rule.get_attribute("visibility") == "visible"
    page.mouse.move(5, 5)
    assert rule.get_attribute("visibility") == "hidden"
    assert read(page).startswith("step 300 ")


def test_shares_are_said_as_percent_and_a_level_has_no_value(report: Path, open_file: Open) -> None:
    page = open_file(report)
    assert re.fullmatch(r"step 300 training \d\d\.\d% held-out \d\d\.\d%", read(page, 1))


def test_values_are_reached_by_keyboard(report: Path, open_file: Open) -> None:
    page = open_file(report)
    plot = page.get_by_role("slider", name="Loss: values by step")
    plot.focus()
    assert plot.get_attribute("aria-valuetext").startswith("step 300, training")
    for key, step in (
        ("ArrowLeft", 290),
        ("Home", 10),
        ("ArrowLeft", 10),
        ("ArrowRight", 20),
        ("PageUp", 50),
        ("End", 300),
    ):
        page.keyboard.press(key)
        assert plot.get_attribute("aria-valuetext").startswith(f"step {step}, training")
        assert read(page).startswith(f"step {step} ")
    assert (plot.get_attribute("aria-valuenow"), plot.get_attribute("aria-valuemax")) == ("30", "30")


def test_values_are_reached_by_touch(report: Path, open_file: Open) -> None:
    page = open_file(report, width=390, has_touch=True)
    plot = page.locator(".plot[data-hover]").first
    plot.scroll_into_view_if_needed()
    box = plot.locator("svg").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] * (54.6 + 289.8 * 100 / 303) / 420, box["y"] + box["height"] / 2)
    assert read(page).startswith("step 100 ")


def test_answers_are_put_in_another_order(report: Path, open_file: Open) -> None:
    page = open_file(report)
    assert places(page) == ["1", "0", "2"]  # most changed
    orders = {
        "judge's verdict": ["2", "0", "1"],  # lost what it had first; what was not judged last
        "length": ["1", "0", "2"],
        "repetition": ["0", "1", "2"],
        "gain of the chosen answer": ["1", "2", "0"],
        "as in the data": ["0", "1", "2"],
        "most changed": ["1", "0", "2"],
    }
    for name, order in orders.items():
        button = page.get_by_role("button", name=name)
        button.click()
        assert (name, places(page)) == (name, order)
        assert page.locator("button[aria-pressed=true]").all_inner_texts() == [name]


def test_without_script_the_page_reads_whole(report: Path, open_file: Open) -> None:
    page = open_file(report, java_script_enabled=False)
    assert page.locator("article").count() == 3
    assert page.locator(".order").is_hidden()
    assert page.locator(".read").count() == 0
    assert page.locator("figure svg").first.is_visible()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_fits_and_has_no_serious_fault_of_accessibility(
    report: Path, open_file: Open, width: int, scheme: str
) -> None:
    page = open_file(report, width=width, scheme=scheme, bypass_csp=True)  # axe is a script of its own
    assert page.evaluate(_OVERFLOW) == 0
    assert page.evaluate(_WIDE) == []
    page.evaluate(axe_script())
    assert serious_faults(page) == []
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate(_OVERFLOW) == 0
    assert serious_faults(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_paper_all_is_open_and_black_on_white(report: Path, open_file: Open, scheme: str) -> None:
    page = open_file(report, width=760, scheme=scheme)  # as wide as a page of A4
    page.emulate_media(media="print")
    look = page.evaluate(
        "() => [getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert look == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    assert page.evaluate(_OVERFLOW) == 0
    cut = """() => [...document.querySelectorAll('.wide, .said, pre')]
      .filter(one => getComputedStyle(one).overflowX !== 'visible' || one.scrollWidth > one.clientWidth + 1)
      .map(one => one.outerHTML.slice(0, 100))"""
    assert page.evaluate(cut) == []
    assert page.locator(".order").is_hidden()
    assert page.locator(".read").first.is_hidden()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert page.get_by_text("learning_rate: 1.0e-06").is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


def test_a_printed_report_has_all_its_texts(report: Path, open_file: Open, tmp_path: Path) -> None:
    without = open_file(report, java_script_enabled=False)
    without.emulate_media(media="print")
    shown = without.get_by_text("learning_rate: 1.0e-06")
    assert shown.bounding_box()["height"] > 100  # opened by the style where no script can


@pytest.mark.parametrize("width", [1280, 390])
def test_hostile_texts_do_nothing(tmp_path: Path, open_file: Open, width: int) -> None:
    run = hostile_run(tmp_path / '<img src=x onerror="x()">', HOSTILE * 8, steps=300)
    page = open_file(write_report(run), width=width)
    assert page.evaluate(_OVERFLOW) == 0
    assert page.evaluate(_WIDE) == []
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1
    page.get_by_role("slider").first.focus()
    page.keyboard.press("Home")
    assert read(page).startswith("step 10 ")
    page.get_by_role("button", name="as in the data").click()
    assert places(page) == ["0", "1"]
