"""How the pages look and read to everybody: contrast, names and roles, at both widths, in light and in dark."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chromium import axe_script, serious_faults
from tests.serve.pages.browser.conftest import Site
from tests.serve.pages.browser.steps import answered, choose, compare, drawn, open_page, say, vote
from tests.votes.made import EVALUATION, asked
from tiebreak.recipe import Recipe
from tiebreak.runs.folder import RunFolder
from tiebreak.runs.metrics_file import append_metrics

_ANSWER = (
    "# Title\n\n$x^2$ and `code`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\n" + "wide " * 60 + "\n```\n[a](https://b.c)"
)
_LOOKS = [(1280, "light"), (390, "dark")]  # colours do not depend on the width
_LONG = "A model with a name that is much longer than a phone is wide"


@pytest.fixture
def run(site: Site) -> Iterator[RunFolder]:
    made = RunFolder.create(Recipe(), site.runs / "looks")
    made.update_manifest(status="finished", model={"name": "bundled:base"}, length={"steps": 9, "steps_an_epoch": 9})
    for step in range(1, 10):
        logps = {"logps/chosen": -9.0 - step, "logps/rejected": -9.5 - step}
        append_metrics(made.metrics_path, {"step": step, "loss": 0.7 - step / 50, "eval_loss": 0.7, **logps})
    yield made
    shutil.rmtree(made.path)


@pytest.fixture
def seen(page: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page at a width, in light or in dark."""
    width, scheme = request.param
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.reload()
    page.get_by_role("button", name="Generate Response").wait_for()
    yield page
    page.emulate_media(color_scheme="light")


@pytest.mark.parametrize("seen", _LOOKS, indirect=True, ids=lambda look: f"{look[0]} {look[1]}")
def test_no_page_has_a_serious_fault_of_accessibility(seen: Any, site: Site, run: RunFolder) -> None:
    seen.evaluate(axe_script())

    def check(page: str) -> None:
        # Whatever fades in is whole by then, and what is under another thing is not measured against it.
        seen.wait_for_function("document.getAnimations().every(one => one.playState !== 'running')")
        drawn(seen)
        assert serious_faults(seen) == [], page

    site.engine.script["Look"] = _ANSWER + "\n\n{word}"
    check("empty chat")
    seen.get_by_role("button", name="Settings").click()
    say(seen, "Look")
    answered(seen)
    check("chat")
    compare(seen, "Look")
    check("ballot")
    vote(seen, "Tie")
    check("tally")
    site.votes.open_comparisons.add_all([asked(prompt=(("system", "Be brief."), ("user", "line\n" * 99)))])
    open_page(seen, "Chat")
    open_page(seen, "Compare")
    seen.get_by_role("button", name="Next Comparison").click()
    seen.locator("#vote-left").wait_for()
    check("open comparison")
    site.votes.open_comparisons.close(EVALUATION)
    open_page(seen, "Runs")
    seen.locator("#runs-run svg").first.wait_for()
    seen.get_by_role("button", name="Train a model").click()
    seen.locator("#train-go").wait_for()
    check("runs")
    open_page(seen, "Data")
    seen.get_by_role("button", name="Correct", exact=True).first.click()
    seen.locator("#data-editor").wait_for()
    check("data")


@pytest.mark.parametrize("seen", [(1280, "light"), (390, "dark")], indirect=True, ids=lambda look: look[1])
def test_the_words_of_the_charts_can_be_read_and_their_lines_are_of_the_scheme(
    seen: Any, site: Site, run: RunFolder
) -> None:
    open_page(seen, "Runs")
    seen.get_by_role("button", name="looks").click()
    seen.locator("figure[data-figure=loss] svg").wait_for()
    texts, page, grid = seen.evaluate(
        """() => {
          const charts = document.querySelector('.tb-curves'), figure = charts.querySelector('figure');
          const words = [...charts.querySelectorAll('svg text')].map(one => getComputedStyle(one).fill);
          const lines = [...charts.querySelectorAll('svg path')].map(one => getComputedStyle(one).stroke);
          return [words, getComputedStyle(figure).backgroundColor, lines];
        }"""
    )
    assert len(texts) > 10
    assert min(_contrast(text, page) for text in texts) >= 4.5
    dark = _light(page) < 0.1
    faint = "rgb(49, 57, 62)" if dark else "rgb(225, 228, 230)"
    assert faint in grid


@pytest.mark.parametrize("seen", [(390, "light")], indirect=True, ids=["390"])
def test_a_long_name_ends_before_the_arrow(seen: Any, site: Site) -> None:
    choose(seen, "Model", "Tern, base")
    end, arrow, cut = seen.evaluate(
        f"""() => {{
          const box = document.querySelector('#chat-model input'), style = getComputedStyle(box);
          box.value = '{_LONG}';
          const arrow = document.querySelector('#chat-model .icon-wrap').getBoundingClientRect().left;
          return [box.getBoundingClientRect().right - parseFloat(style.paddingRight), arrow, style.textOverflow];
        }}"""
    )
    assert end <= arrow
    assert cut == "ellipsis"


def _light(colour: str) -> float:
    """Relative luminance, as WCAG has it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_light(one), _light(other)))
    return (high + 0.05) / (low + 0.05)
