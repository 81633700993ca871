"""The Data page in a real browser: browse, filter, correct, withdraw."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.serve.pages.browser.conftest import Site
from tests.serve.pages.browser.steps import choose, compare, drawn, open_page, say, settled, until, vote, write
from tiebreak.votes import Answer, Vote
from tiebreak.votes.filters import VoteFilter
from tiebreak.votes.store import VoteStore
from tiebreak.votes.vote import Verdict, new_id
from tiebreak.votes.voters import voter_of

EVERY = VoteFilter()


def _keep(site: Site, number: int, verdict: Verdict = "left", model: str = "plover", voter: str = "someone") -> str:
    left = Answer(f"Left answer {number}.", model, "c2", {"temperature": 0.7}, 1)
    right = Answer(f"Right answer {number}.", "tern-run", "f1", {"temperature": 0.7}, 1)
    time = datetime(2026, 5, 1, tzinfo=UTC) + timedelta(minutes=number)
    prompt = (("user", f"Prompt {number}"),)
    vote = Vote(new_id(), prompt, left, right, verdict, None, None, voter, time)
    site.votes.add(vote)
    return vote.id


def _prompts(page: Any) -> list[str]:
    return list(page.locator("#data-list .tb-turn .tb-said").all_inner_texts())


def test_a_voter_corrects_a_vote_and_withdraws_it(page: Any, site: Site) -> None:
    compare(page, "To be corrected")
    vote(page, "Left is better")
    open_page(page, "Data")
    page.get_by_role("button", name="Correct", exact=True).click()
    page.get_by_label("Tie").check()
    write(page.locator("#data-reason textarea, #data-reason input"), "I looked again.")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("The vote is corrected.").wait_for()
    (kept,) = site.votes.votes()
    assert (kept.verdict, kept.reason) == ("tie", "I looked again.")
    assert [(earlier.verdict, earlier.by) for earlier in site.votes.history(kept.id)] == [("left", kept.voter)]
    assert "Corrected" in page.locator(".tb-correction").inner_text()
    assert "not in scores" in page.locator("#data-list").inner_text()
    assert "I looked again." in page.locator("#data-list").inner_text()
    page.get_by_role("button", name="Correct", exact=True).click()
    page.get_by_role("button", name="Withdraw this vote").click()
    page.get_by_text("The vote is withdrawn.").wait_for()
    assert site.votes.count() == 0
    page.get_by_text("No votes here.").wait_for()


def test_a_question_that_is_denied_withdraws_nothing(page: Any, site: Site) -> None:
    compare(page, "To be kept")
    vote(page, "Tie")
    open_page(page, "Data")
    page.get_by_role("button", name="Correct", exact=True).click()
    page.locator("#data-withdraw").wait_for()
    page.evaluate("window.confirm = () => false")
    page.get_by_role("button", name="Withdraw this vote").click()
    settled(page, site.wire)
    assert site.votes.count() == 1
    assert page.locator("#data-editor").is_visible()


def test_votes_are_browsed_by_pages_newest_first(page: Any, site: Site) -> None:
    for number in range(1, 8):
        _keep(site, number)
    open_page(page, "Data")
    page.get_by_text("Prompt 7", exact=True).wait_for()
    assert _prompts(page) == ["Prompt 7", "Prompt 6", "Prompt 5"]
    page.get_by_role("button", name="Older").click()
    page.get_by_text("Prompt 4", exact=True).wait_for()
    assert _prompts(page) == ["Prompt 4", "Prompt 3", "Prompt 2"]
    page.get_by_role("button", name="Older").click()
    page.get_by_text("Prompt 1", exact=True).wait_for()
    assert _prompts(page) == ["Prompt 1"]
    page.get_by_role("button", name="Newer").click()
    page.get_by_text("Prompt 4", exact=True).wait_for()


def test_votes_are_filtered_by_model_verdict_text_and_voter(page: Any, site: Site) -> None:
    _keep(site, 1, "tie")
    _keep(site, 2, "left", model="gone-model")
    _keep(site, 3, "left")
    open_page(page, "Data")
    page.get_by_text("Prompt 3", exact=True).wait_for()
    choose(page, "Verdict", "Tie")
    until(lambda: _prompts(page) == ["Prompt 1"], page)
    choose(page, "Verdict", "any")
    choose(page, "Model", "gone-model")
    until(lambda: _prompts(page) == ["Prompt 2"], page)
    choose(page, "Model", "any")
    write(page.get_by_label("Text", exact=True), "answer 3")
    page.keyboard.press("Enter")
    until(lambda: _prompts(page) == ["Prompt 3"], page)
    page.get_by_label("Only mine").check()
    page.get_by_text("No votes here.").wait_for()


def test_what_was_asked_for_last_is_what_is_shown_however_slow_the_store(
    page: Any, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leaving the box of the text asks as well, and must not win over the box that is ticked then."""
    _keep(site, 1)
    open_page(page, "Data")
    page.get_by_text("Prompt 1", exact=True).wait_for()
    votes = VoteStore.votes

    def slow(self: VoteStore, wanted: VoteFilter = EVERY, **how: Any) -> list[Vote]:
        found = votes(self, wanted, **how)
        time.sleep(0.5 if wanted.voter is None else 0)
        return found

    monkeypatch.setattr(VoteStore, "votes", slow)
    write(page.get_by_label("Text", exact=True), "answer 1")
    page.get_by_label("Only mine").check()
    page.get_by_text("No votes here.").wait_for()
    settled(page, site.wire)
    assert _prompts(page) == []


def test_whoever_has_a_key_withdraws_all_its_votes_and_no_others(page: Any, site: Site) -> None:
    mine = [_keep(site, number, voter=voter_of("my-own-key")) for number in (1, 2)]
    other = _keep(site, 3)
    open_page(page, "Data")
    page.get_by_role("button", name="Your key").click()
    key = page.locator("#data-key").locator("input, textarea")
    until(lambda: re.fullmatch(r"[\w-]{20,}", key.input_value()) is not None, page)
    write(key, "my-own-key")
    page.get_by_role("button", name="Withdraw all votes of this key").click()
    page.get_by_text("2 votes are withdrawn.").wait_for()
    assert [kept.id for kept in site.votes.votes()] == [other]
    assert all(site.votes.get(id).withdrawn for id in mine)  # type: ignore[union-attr]


def test_no_key_of_a_voter_reaches_the_pages_of_others(page: Any, site: Site) -> None:
    _keep(site, 1, voter="a-secret-key")
    open_page(page, "Data")
    page.get_by_text("Prompt 1", exact=True).wait_for()
    settled(page, site.wire)
    came = b"".join(body for _, body in site.wire.sent)
    assert b"Prompt 1" in came
    assert b"a-secret-key" not in came


def test_every_page_fits_a_phone_in_readable_type(page: Any, site: Site) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    _keep(site, 1)
    site.engine.script["Long"] = "{word} " + "W" * 400 + " " + "word " * 60
    say(page, "Long")
    page.locator("#chat-log .tb-copy").wait_for()
    _fits(page)
    compare(page, "Long")
    vote(page, "Tie")
    _fits(page)
    for name in ("Runs", "Data"):
        open_page(page, name)
        page.locator(".tb-pick, .tb-empty").locator("visible=true").first.wait_for()
        _fits(page)


def _fits(page: Any) -> None:
    drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390
    sizes = (
        "[...document.querySelectorAll('.tb-said, textarea')].map(one => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert min(page.evaluate(sizes), default=16) >= 16


def test_light_and_dark_follow_the_system(page: Any, site: Site) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="dark")
    page.reload()
    page.get_by_role("button", name="Generate Response").wait_for()
    assert page.evaluate(colour) == "rgb(20, 24, 26)"
    page.emulate_media(color_scheme="light")
    page.reload()
    page.get_by_role("button", name="Generate Response").wait_for()
    assert page.evaluate(colour) == "rgb(251, 251, 250)"
    font = page.evaluate("getComputedStyle(document.querySelector('textarea')).fontFamily")
    assert font.startswith("system-ui")
