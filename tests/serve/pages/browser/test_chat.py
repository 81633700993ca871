"""The Chat page in a real browser."""

from __future__ import annotations

from typing import Any

from tests.serve.pages.browser.conftest import Site
from tests.serve.pages.browser.steps import answered, choose, open_page, say, until


def test_one_types_a_prompt_presses_generate_response_and_reads_the_answer(page: Any, site: Site) -> None:
    site.engine.script["Why is the sky blue?"] = "Because short waves scatter more."
    say(page, "Why is the sky blue?")
    assert answered(page) == ["Because short waves scatter more."]
    assert page.locator("#chat-log .tb-question").inner_text() == "Why is the sky blue?"
    assert page.get_by_label("Your message").input_value() == ""


def test_an_answer_grows_on_the_page_and_stops_where_it_is(page: Any, site: Site) -> None:
    site.engine.pause = 0.05
    site.engine.script["Count."] = " ".join(map(str, range(1000)))
    say(page, "Count.")
    words = page.locator("#chat-log .tb-answer .tb-said")
    until(lambda: words.count() == 1 and len(words.inner_text()) > 5, page)
    early = words.inner_text()
    until(lambda: len(words.inner_text()) > len(early), page)
    assert words.inner_text().startswith(early)
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("stopped", exact=True).wait_for()
    until(lambda: site.engine.open == 0, page)
    stopped = words.inner_text()
    page.wait_for_timeout(200)
    assert words.inner_text() == stopped
    assert stopped in site.engine.script["Count."]
    assert site.engine.abandoned == 1


def test_leaving_the_page_ends_the_work_on_its_answer(page: Any, site: Site, context: Any) -> None:
    site.engine.pause = 0.05
    site.engine.script["Count."] = " ".join(map(str, range(1000)))
    say(page, "Count.")
    until(lambda: site.engine.open == 1, page)
    page.close()
    waiting = context.new_page()
    until(lambda: site.engine.open == 0, waiting, seconds=20)
    waiting.close()


def test_a_conversation_has_several_turns_and_can_be_retried_and_cleared(page: Any, site: Site) -> None:
    say(page, "First")
    answered(page)
    say(page, "Second")
    assert "after 2 turns" in answered(page, 2)[1]
    turns = [(turn.role, turn.content) for turn in site.engine.requests[-1].turns]
    assert [role for role, _ in turns] == ["user", "assistant", "user"]
    site.engine.script["Second"] = "Another answer."
    page.get_by_role("button", name="Retry").click()
    page.get_by_text("Another answer.").wait_for()
    assert len(answered(page, 2)) == 2
    assert [(turn.role, turn.content) for turn in site.engine.requests[-1].turns] == turns
    page.get_by_role("button", name="Clear").click()
    page.get_by_text("Ask the model something.").wait_for()
    say(page, "Anew")
    assert "after 0 turns" in answered(page)[0]


def test_an_answer_can_be_copied_as_it_is(page: Any, site: Site) -> None:
    site.engine.script["Copy me"] = "two  spaces\nand <b>two</b> lines"
    say(page, "Copy me")
    answered(page)
    page.get_by_role("button", name="Copy the answer").click()
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "two  spaces\nand <b>two</b> lines"


def test_an_example_fills_the_box(page: Any) -> None:
    page.get_by_role("button", name="Tell me the capital of Australia.").click()
    until(lambda: page.get_by_label("Your message").input_value() == "Tell me the capital of Australia.", page)


def test_the_settings_reach_the_model(page: Any, site: Site) -> None:
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("System prompt").fill("Be brief.")
    page.get_by_label("Seed (empty: a new one each time)").fill("12")
    page.get_by_label("number input for Temperature (0 is greedy)").fill("0.25")
    page.get_by_label("number input for Top-p").fill("0.9")
    page.get_by_label("number input for Maximum length (tokens)").fill("33")
    choose(page, "Model", "Plover")
    say(page, "With settings")
    answered(page)
    asked = site.engine.requests[-1]
    assert (asked.model, asked.system, asked.seed) == ("plover", "Be brief.", 12)
    assert (asked.temperature, asked.top_p, asked.max_tokens) == (0.25, 0.9, 33)


def test_a_run_shows_its_base_beside_it_and_other_models_offer_none(page: Any, site: Site) -> None:
    page.get_by_label("Show the base beside it (before and after)").check()
    say(page, "Both")
    before, after = answered(page, 2)
    assert before.startswith("Birch")
    assert after.startswith("Amber")
    assert page.locator("#chat-log .tb-answer .tb-who").all_inner_texts() == ["before Tern, base", "after Tern, tuned"]
    say(page, "Again")
    answered(page, 4)
    told = {asked.model: asked.turns[1].content for asked in site.engine.requests[-2:]}
    assert told == {"tern-base": before, "tern-run": after}
    choose(page, "Model", "Plover")
    page.get_by_label("Show the base beside it (before and after)").wait_for(state="detached")


def test_a_server_that_is_busy_says_so_and_the_page_goes_on(page: Any, site: Site) -> None:
    site.engine.busy = True
    say(page, "Hello")
    page.get_by_text("Too many requests are waiting. Try again in 3 s.").wait_for()
    site.engine.busy = False
    page.get_by_role("button", name="Retry").click()
    assert "you said 'Hello'" in answered(page)[0]


def test_enter_sends_and_shift_with_enter_makes_a_line(page: Any, site: Site) -> None:
    page.get_by_label("Your message").click()
    page.keyboard.type("One")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("Two")
    page.wait_for_timeout(200)
    assert site.engine.requests == []
    page.keyboard.press("Enter")
    answered(page)
    assert site.engine.requests[0].turns[-1].content == "One\nTwo"


def test_an_empty_message_is_answered_with_a_sentence_and_asks_nobody(page: Any, site: Site) -> None:
    say(page, "   ")
    page.get_by_text("There is no message yet: type one first.").wait_for()
    assert site.engine.requests == []


def test_the_footer_names_the_models_with_their_licences(page: Any) -> None:
    foot = page.locator(".tb-foot").inner_text()
    assert "Tern, tuned · licence MIT" in foot
    assert "Plover · licence not known" in foot
    open_page(page, "Runs")
    assert page.locator(".tb-foot").is_visible()
