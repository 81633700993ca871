"""What people do on the pages."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def say(page: Any, text: str) -> None:
    """Type a message and press the button."""
    page.get_by_label("Your message").fill(text)
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
    page.get_by_label("Prompt", exact=True).fill(prompt)
    page.get_by_role("button", name="Get Two Answers").click()
    page.locator("#vote-left").wait_for()


def vote(page: Any, verdict: str) -> str:
    """Vote; gives what the page says then."""
    page.get_by_role("button", name=verdict).click()
    said = page.locator("#compare-word .tb-good")
    said.wait_for()
    return said.inner_text()


def choose(page: Any, label: str, option: str) -> None:
    """Choose from a list that is visible."""
    page.get_by_label(label, exact=True).locator("visible=true").click()
    page.get_by_role("option", name=option, exact=True).click()


def until(true: Callable[[], bool], page: Any, seconds: float = 10) -> None:
    """Wait until something is true, while the page lives on."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "It did not come true in time."
        page.wait_for_timeout(30)
