"""What people do on the pages, and how tests wait: always for a state, and as long as a busy machine may need."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.serve.pages.site import Wire

PATIENCE = 120.0
"""Seconds after which a state that must come has not come; nothing waits for a time that it does not need."""
_LOOKS = 10  # looks in a row at which nothing happens, after which nothing will

_DRAWN = """left => new Promise(done => {
  const next = () => left-- > 0 ? requestAnimationFrame(next) : done();
  next();
})"""


def write(field: Any, text: str) -> None:
    """Fill a field. What Gradio still has for one that has just come is put into it a picture later, over any text."""
    field.wait_for()
    drawn(field.page)
    field.fill(text)


def say(page: Any, text: str) -> None:
    """Type a message and press the button."""
    write(page.get_by_label("Your message"), text)
    page.get_by_role("button", name="Generate Response").click()


def answered(page: Any, number: int = 1) -> list[str]:
    """The answers of the conversation, once there are so many and none is growing."""
    ready = page.locator("#chat-log .tb-answer:not([aria-busy])")
    ready.nth(number - 1).wait_for()
    page.locator("#chat-stop").wait_for(state="hidden")
    return [one.locator(".tb-said").inner_text() for one in ready.all()]


def open_page(page: Any, name: str) -> None:
    """Go to one of the pages."""
    page.get_by_role("tab", name=name).click()


def compare(page: Any, prompt: str) -> None:
    """Get two answers."""
    open_page(page, "Compare")
    write(page.get_by_label("Prompt", exact=True), prompt)
    page.get_by_role("button", name="Get Two Answers").click()
    page.locator("#vote-left").wait_for()


def vote(page: Any, verdict: str) -> str:
    """Vote; gives what the page says then."""
    page.get_by_role("button", name=verdict).click()
    said = page.locator("#compare-word .tb-good")
    said.wait_for()
    return str(said.inner_text())


def choose(page: Any, label: str, option: str) -> None:
    """Choose from a list that is visible."""
    page.get_by_label(label, exact=True).locator("visible=true").click()
    page.get_by_role("option", name=option, exact=True).click()


def until(true: Callable[[], bool], page: Any, *, seen: Callable[[], object] = lambda: "") -> None:
    """Wait until something is true, while the page lives on; `seen` is said where it does not come true."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"It did not come true in time. {seen()}"
        page.wait_for_timeout(30)  # what the page sends and gets is noticed meanwhile


def drawn(page: Any, frames: int = 10) -> None:
    """Wait until the browser has drawn so many pictures: what scripts and styles do at once is done by then."""
    page.evaluate(_DRAWN, frames)


def settled(page: Any, wire: Wire) -> None:
    """Wait until all that the page was asked to do is done: it has drawn, and nothing is on its way to or from it."""
    drawn(page)
    quiet = 0

    def calm() -> bool:
        nonlocal quiet
        quiet = 0 if wire.open else quiet + 1
        return quiet > _LOOKS

    until(calm, page, seen=lambda: f"Open: {wire.open}")
