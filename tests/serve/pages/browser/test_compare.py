"""The Compare page in a real browser: blind until the vote, and the vote kept before the thanks."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest

from tests.serve.pages.browser.conftest import Site
from tests.serve.pages.browser.steps import choose, compare, open_page, settled, until, vote, write
from tests.votes.made import EVALUATION, answer, asked

_SECRETS = ("tern", "Tern", "plover", "Plover", "f1f1f1f1", "b0b0b0b0", "c2c2c2c2")


def test_nothing_that_reaches_the_browser_tells_who_wrote_what_before_the_vote(page: Any, site: Site) -> None:
    site.engine.script["Which way?"] = "{word}: the one answer is to go left, the other to go right."
    open_page(page, "Compare")
    page.locator("#compare-tally h2").wait_for()
    site.wire.sent.clear()
    compare(page, "Which way?")
    settled(page, site.wire)
    came = b"".join(body for _, body in site.wire.sent).decode()
    assert "go left" in came
    seeds = [str(request.seed) for request in site.engine.requests[-2:]]
    assert [secret for secret in (*_SECRETS, *seeds) if secret in came] == []
    shown = page.locator("#compare-answers").evaluate("element => element.outerHTML")
    assert [secret for secret in (*_SECRETS, *seeds) if secret in shown] == []
    assert "tern-" in vote(page, "Tie")


def test_a_blind_vote_is_in_the_store_with_all_that_belongs_to_it(page: Any, site: Site) -> None:
    compare(page, "Which of two?")
    left, right = page.locator("#compare-answers .tb-said").all_inner_texts()
    page.get_by_role("button", name="Say why, or write a better answer (optional)").click()
    write(page.get_by_label("Why?").locator("visible=true"), "It is shorter.")
    write(page.get_by_label("A better answer").locator("visible=true"), "Short.")
    words = vote(page, "Right is better")
    (kept,) = site.votes.votes()
    assert (kept.verdict, kept.reason, kept.edited) == ("right", "It is shorter.", "Short.")
    assert kept.prompt == (("user", "Which of two?"),)
    assert (kept.left.text, kept.right.text) == (left, right)
    assert {kept.left.model, kept.right.model} == {"tern-run", "tern-base"}
    assert {kept.left.fingerprint, kept.right.fingerprint} == {"f1f1f1f1aaaa", "b0b0b0b0bbbb"}
    assert kept.left.text.startswith("Amber" if kept.left.model == "tern-run" else "Birch")
    assert f"Left was {kept.left.model}" in words
    assert dict(kept.left.sampling) == {"temperature": 0.7, "top_p": 1.0, "max_tokens": 256}
    assert [kept.left.seed, kept.right.seed] == [request.seed for request in site.engine.requests[-2:]]
    assert kept.left.seed != kept.right.seed
    with urllib.request.urlopen(f"{site.url}/votes/export.jsonl") as answer:
        rows = [json.loads(line) for line in answer]
    assert (right, left) in [(row["chosen"], row["rejected"]) for row in rows]
    assert ("Short.", right) in [(row["chosen"], row["rejected"]) for row in rows]
    assert page.locator("#compare-tally td[data-name=Games]").all_inner_texts() == ["1", "1"]


def test_clicking_twice_votes_once(page: Any, site: Site) -> None:
    compare(page, "Twice?")
    page.locator("#vote-left").dblclick()
    page.locator("#compare-word .tb-good").wait_for()
    settled(page, site.wire)
    assert [kept.verdict for kept in site.votes.votes()] == ["left"]


def test_two_different_votes_on_one_comparison_keep_the_first(page: Any, site: Site) -> None:
    compare(page, "Both at once?")
    page.evaluate("for (const id of ['vote-tie', 'vote-both_bad']) document.getElementById(id).click()")
    page.locator("#compare-word .tb-good").wait_for()
    settled(page, site.wire)
    (kept,) = site.votes.votes()
    name = {"tie": "tie", "both_bad": "both are bad"}[kept.verdict]
    assert f"“{name}”" in page.locator("#compare-word").inner_text()


def test_one_model_twice_has_two_seeds_and_a_voter_the_same_key_again(page: Any, site: Site) -> None:
    open_page(page, "Compare")
    choose(page, "The other (or the same)", "Tern, tuned")
    compare(page, "Same model?")
    vote(page, "Both are bad")
    page.reload()
    compare(page, "Another model?")
    vote(page, "Tie")
    second, first = site.votes.votes(newest_first=True)
    assert first.left.model == first.right.model == "tern-run"
    assert first.left.seed != first.right.seed
    assert first.voter == second.voter
    assert len(first.voter) >= 20


def test_answers_that_were_stopped_cannot_be_voted_on(page: Any, site: Site) -> None:
    site.engine.pause = 0.05
    site.engine.script["Count."] = " ".join(map(str, range(1000)))
    open_page(page, "Compare")
    write(page.get_by_label("Prompt", exact=True), "Count.")
    page.get_by_role("button", name="Get Two Answers").click()
    until(lambda: site.engine.open == 2, page)
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("There is no vote on answers that are not whole.").wait_for()
    assert page.locator("#vote-left").count() == 0
    until(lambda: site.engine.open == 0, page)


def test_a_vote_that_cannot_be_kept_gets_no_thanks_and_can_be_tried_again(
    page: Any, site: Site, monkeypatch: Any
) -> None:
    from tiebreak.errors import RunError
    from tiebreak.votes.store import VoteStore

    def full(self: VoteStore, vote: object, **how: int) -> bool:
        raise RunError("The disk refuses the votes.")

    compare(page, "Full disk?")
    with monkeypatch.context() as patch:
        patch.setattr(VoteStore, "add", full)
        page.get_by_role("button", name="Tie").click()
        page.get_by_text("The vote is not kept. The disk refuses the votes.").wait_for()
        assert page.locator("#compare-answers .tb-name").count() == 0
    vote(page, "Tie")
    assert site.votes.count() == 1


@pytest.mark.parametrize(
    ("key", "verdict"), [("ArrowLeft", "left"), ("ArrowRight", "right"), ("t", "tie"), ("B", "both_bad")]
)
def test_a_key_votes_after_a_prompt_that_was_sent_by_enter(page: Any, site: Site, key: str, verdict: str) -> None:
    open_page(page, "Compare")
    write(page.get_by_label("Prompt", exact=True), "By key?")
    page.keyboard.press("Enter")
    page.locator("#vote-left").wait_for()
    page.keyboard.press(key.lower() if len(key) == 1 else key)
    page.locator("#compare-word .tb-good").wait_for()
    assert [kept.verdict for kept in site.votes.votes()] == [verdict]


def test_keys_are_letters_where_somebody_writes_and_nothing_where_there_is_no_vote(page: Any, site: Site) -> None:
    open_page(page, "Compare")
    page.locator("#compare-tally h2").wait_for()
    page.keyboard.press("t")
    compare(page, "While writing?")
    box = page.get_by_label("Prompt", exact=True)
    box.click()
    page.keyboard.type("tb")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Control+ArrowRight")
    settled(page, site.wire)
    assert box.input_value() == "tb"
    assert site.votes.count() == 0


def test_a_conversation_goes_on_blind_and_its_turns_are_shown_and_kept(page: Any, site: Site) -> None:
    compare(page, "The first?")
    site.wire.sent.clear()
    write(page.get_by_label("Prompt", exact=True), "The second?")
    page.get_by_role("button", name="Go On With Both").click()
    page.locator("#compare-answers .tb-asked").nth(1).wait_for()
    page.locator("#vote-left").wait_for()
    settled(page, site.wire)
    came = b"".join(body for _, body in site.wire.sent).decode()
    assert [secret for secret in _SECRETS if secret in came] == []
    shown = page.locator("#compare-answers .tb-said").all_inner_texts()
    vote(page, "Right is better")
    (kept,) = site.votes.votes()
    assert [kept.left.before[0][1], kept.right.before[0][1], kept.left.text, kept.right.text] == shown
    assert kept.left.before[1] == kept.right.before[1] == ("user", "The second?")


def test_equal_answers_are_said_and_have_no_buttons(page: Any, site: Site) -> None:
    site.engine.script["Same?"] = "The same."
    open_page(page, "Compare")
    write(page.get_by_label("Prompt", exact=True), "Same?")
    page.get_by_role("button", name="Get Two Answers").click()
    page.get_by_text("Both answers are the same, so there is nothing to vote on.").wait_for()
    assert page.locator("#vote-left").count() == 0


def test_answers_of_an_evaluation_are_voted_on_by_key_and_blind_until_the_vote(page: Any, site: Site) -> None:
    first = answer("To go left.", "tern-run", fingerprint="f1f1f1f1aaaa", seed=None)
    second = answer("To go right.", "plover", fingerprint="c2c2c2c2cccc", seed=None)
    questions = [asked(number, first=first, second=second) for number in range(2)]
    open_page(page, "Compare")
    page.locator("#compare-tally h2").wait_for()
    assert page.locator("#compare-waiting-next").count() == 0
    site.votes.open_comparisons.add_all(questions)
    open_page(page, "Chat")
    site.wire.sent.clear()
    open_page(page, "Compare")
    page.get_by_text("2 comparisons from evaluations wait for your vote").wait_for()
    page.keyboard.press("n")  # the tab that was clicked has the focus
    page.locator("#vote-left").wait_for()
    settled(page, site.wire)
    came = b"".join(body for _, body in site.wire.sent).decode()
    shown = page.locator("#compare-answers").evaluate("element => element.outerHTML")
    hidden = (*_SECRETS, EVALUATION, *(each.id for each in questions))
    assert "To go left." in came
    assert [secret for secret in hidden if secret in came or secret in shown] == []
    left, right = page.locator("#compare-answers .tb-answer .tb-said").all_inner_texts()
    page.keyboard.press("ArrowLeft")
    page.locator("#compare-word .tb-good").wait_for()
    page.get_by_text("1 comparison from evaluations waits for your vote").wait_for()
    (kept,) = site.votes.votes()
    assert (kept.left.text, kept.right.text, kept.verdict) == (left, right, "left")
    assert kept.comparison in {each.id for each in questions}
    page.get_by_role("button", name="Next Comparison").click()
    page.locator("#vote-left").wait_for()
    page.keyboard.press("t")
    page.locator("#compare-word .tb-good").wait_for()
    page.locator("#compare-waiting-next").wait_for(state="hidden")
    assert len({kept.comparison for kept in site.votes.votes()}) == 2
    assert site.engine.requests == []
    site.votes.open_comparisons.close(EVALUATION)
