"""Compared runs in a real browser: one line a run, at two widths, and names from outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chromium import axe_script, serious_faults
from tests.report.browser.conftest import Open
from tests.report.browser.test_page import _OVERFLOW, _WIDE, read
from tests.report.made import make_run, manifest_of, metric_rows
from tests.report.test_page import HOSTILE
from tiebreak.report.beside import compare_runs


@pytest.fixture(scope="module")
def page_of_nine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine runs, of which one has a hostile name."""
    folder = tmp_path_factory.mktemp("runs")
    names = [f"run-{i}" for i in range(8)] + [HOSTILE[:80].replace("/", "_")]
    runs = []
    for number, name in enumerate(reversed(names)):
        after = {"eval_loss": 0.3 + number / 50, "eval_rewards/accuracies": 0.6 + number / 40}
        recipe = {"train": {"seed": number}, "objective": {"beta": 0.1 + number / 10}}
        rows = metric_rows(100 + 10 * number)
        runs.append(make_run(folder / name, manifest=manifest_of(after=after), rows=rows, recipe=recipe).path)
    compare_runs(runs, out=folder / "compare.html")
    return folder / "compare.html"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_nine_runs_fit_and_have_no_serious_fault_of_accessibility(
    page_of_nine: Path, open_file: Open, width: int, scheme: str
) -> None:
    page = open_file(page_of_nine, width=width, scheme=scheme, bypass_csp=True)
    assert page.evaluate(_OVERFLOW) == 0
    assert page.evaluate(_WIDE) == []
    page.evaluate(axe_script())
    assert serious_faults(page) == []


def test_every_run_has_its_value_at_the_pointer(page_of_nine: Path, open_file: Open) -> None:
    page = open_file(page_of_nine)
    page.get_by_role("slider", name="Loss, held-out: values by step").focus()
    said = read(page)
    assert said.startswith("step 150 1 <script>alert(1)<_script>")  # the first eight of nine, each where it is nearest
    assert [f" {n + 2} run-{7 - n} 0." in said for n in range(7)] == [True] * 7
    assert "9 run-0" not in said
    page.keyboard.press("Home")
    assert read(page).startswith("step 50 ")


def test_on_paper_it_is_black_on_white_and_nothing_scrolls(page_of_nine: Path, open_file: Open) -> None:
    page = open_file(page_of_nine, width=1060, scheme="dark")  # A4 on its side
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    boxes = "all => all.filter(one => one.scrollWidth > one.clientWidth + 1).length"
    assert page.eval_on_selector_all(".wide", boxes) == 0
