"""The Chat page in a real browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.serve.pages.browser.conftest import Site
from tests.serve.pages.browser.steps import answered, choose, compare, open_page, say, settled, until, write
from tiebreak.serve.api.guard import RateLimit


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
    settled(page, site.wire)
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
    until(lambda: site.engine.open == 0, waiting)
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
    page.get_by_role("button", name="New chat").click()
    page.get_by_text("Ask the model something.").wait_for()
    say(page, "Anew")
    assert "after 0 turns" in answered(page)[0]


def test_an_answer_can_be_copied_as_it_is(page: Any, site: Site) -> None:
    site.engine.script["Copy me"] = "two  spaces\nand <b>two</b> lines"
    say(page, "Copy me")
    answered(page)
    settled(page, site.wire)  # nothing takes the place of the button any more
    page.get_by_role("button", name="Copy the answer").click()
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "two  spaces\nand <b>two</b> lines"


def test_an_example_fills_the_box(page: Any) -> None:
    page.get_by_role("button", name="Tell me the capital of Australia.").click()
    until(lambda: page.get_by_label("Your message").input_value() == "Tell me the capital of Australia.", page)


def test_the_settings_reach_the_model(page: Any, site: Site) -> None:
    page.get_by_role("button", name="Settings").click()
    write(page.get_by_label("System prompt"), "Be brief.")
    write(page.get_by_label("Seed (empty: a new one each time)"), "12")
    write(page.get_by_label("number input for Temperature (0 is greedy)"), "0.25")
    write(page.get_by_label("number input for Top-p"), "0.9")
    write(page.get_by_label("number input for Maximum length (tokens)"), "33")
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
    given = {asked.model: asked.turns[1].content for asked in site.engine.requests[-2:]}
    assert given == {"tern-base": before, "tern-run": after}
    choose(page, "Model", "Plover")
    page.get_by_label("Show the base beside it (before and after)").wait_for(state="detached")


def test_a_server_that_is_busy_says_so_and_the_page_goes_on(page: Any, site: Site) -> None:
    site.engine.busy = True
    say(page, "Hello")
    page.get_by_text("Too many requests are waiting. Try again in 3 s.").wait_for()
    site.engine.busy = False
    page.get_by_role("button", name="Retry").click()
    page.get_by_text("you said 'Hello'").wait_for()  # until then the refusal may still stand there
    assert "you said 'Hello'" in answered(page)[0]


def test_enter_sends_and_shift_with_enter_makes_a_line(page: Any, site: Site) -> None:
    page.get_by_label("Your message").click()
    page.keyboard.type("One")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("Two")
    settled(page, site.wire)
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


def test_the_box_has_the_focus_when_the_page_is_loaded(page: Any) -> None:
    until(lambda: page.evaluate("document.activeElement.closest('#chat-box') !== null"), page)


def _hidden(page: Any) -> float:
    """How much of the end of the conversation lies under the box, in pixels."""
    bottom, top = (
        page.evaluate(f"document.querySelector('{one}').getBoundingClientRect().{side}")
        for one, side in (("#chat-log", "bottom"), ("#chat-composer", "top"))
    )
    return float(bottom - top)


def _in_sight(page: Any) -> bool:
    box = page.locator("#chat-box textarea").bounding_box()
    return bool(box["y"] >= 0 and box["y"] + box["height"] <= page.viewport_size["height"])


@pytest.mark.parametrize("width", [1280, 390])
def test_the_chat_follows_its_answer_and_keeps_the_box_in_sight_until_the_reader_scrolls_up(
    page: Any, site: Site, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    site.engine.script["Long"] = "\n\n".join(f"Paragraph {number}." for number in range(30))
    for number in (1, 2, 3):
        say(page, "Long")
        answered(page, number)
        until(lambda: _hidden(page) <= 0, page)
        assert _in_sight(page)
    site.engine.pause = 0.03
    site.engine.script["Count."] = "\n\n ".join(map(str, range(400)))
    say(page, "Count.")
    growing = page.locator("#chat-log .tb-answer").last
    until(lambda: "30" in growing.inner_text(), page)
    assert _in_sight(page)
    page.mouse.move(width / 2, 200)
    page.mouse.wheel(0, -600)
    until(lambda: _hidden(page) > 300, page)
    where = page.evaluate("window.scrollY")
    seen = growing.inner_text()
    until(lambda: len(growing.inner_text()) > len(seen) + 20, page)
    assert page.evaluate("window.scrollY") == where
    assert _in_sight(page)
    page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    seen = growing.inner_text()
    until(lambda: len(growing.inner_text()) > len(seen) + 20, page)
    until(lambda: _hidden(page) <= 0, page)
    page.get_by_role("button", name="Stop").click()


def test_a_conversation_is_there_again_when_the_page_is_loaded_again(page: Any, site: Site) -> None:
    page.get_by_role("button", name="Settings").click()
    write(page.get_by_label("System prompt"), "Be brief.")
    page.get_by_label("Show the base beside it (before and after)").check()
    say(page, "Both, please")
    first = answered(page, 2)
    settled(page, site.wire)
    page.reload()
    assert answered(page, 2) == first
    assert page.locator("#chat-log .tb-answer .tb-who").all_inner_texts() == ["before Tern, base", "after Tern, tuned"]
    say(page, "And now?")
    answered(page, 3)
    asked = site.engine.requests[-1]
    assert asked.system == "Be brief."
    assert [turn.content for turn in asked.turns] == ["Both, please", first[1], "And now?"]


def test_conversations_are_listed_opened_exported_and_deleted(page: Any, site: Site) -> None:
    page.evaluate("localStorage.clear()")
    site.engine.script["A *first* question"] = "An **answer**."
    say(page, "A *first* question")
    answered(page)
    page.get_by_role("button", name="New chat").click()
    page.get_by_text("Ask the model something.").wait_for()
    say(page, "<b>Second</b>")
    answered(page)
    settled(page, site.wire)
    page.get_by_text("Conversations (2)").click()
    names = page.locator(".tb-chats li > button").all_inner_texts()
    assert names == ["<b>Second</b>", "A *first* question"]
    with page.expect_download() as saved:
        page.get_by_role("button", name="Export “A *first* question” as JSON").click()
    assert saved.value.suggested_filename == "a-first-question.json"
    exported = json.loads(Path(saved.value.path()).read_text(encoding="utf-8"))
    assert [(one["role"], one["content"]) for one in exported["messages"]] == [
        ("user", "A *first* question"),
        ("assistant", "An **answer**."),
    ]
    with page.expect_download() as saved:
        page.get_by_role("button", name="Export “A *first* question” as Markdown").click()
    assert "## User\n\nA *first* question\n\n## Tern, tuned\n\nAn **answer**.\n" in Path(saved.value.path()).read_text(
        encoding="utf-8"
    )
    page.get_by_role("button", name="A *first* question", exact=True).click()
    page.locator("#chat-log strong", has_text="answer").wait_for()
    page.get_by_role("button", name="Delete “A *first* question”").click()
    page.get_by_text("Ask the model something.").wait_for()
    page.get_by_text("Conversations (1)").wait_for()
    page.reload()
    page.get_by_text("Conversations (1)").wait_for()
    page.get_by_text("Ask the model something.").wait_for()


def test_a_message_is_edited_and_sent_again_and_another_is_deleted(page: Any, site: Site) -> None:
    for number, text in enumerate(("One", "Two", "Three"), start=1):
        say(page, text)
        answered(page, number)
    page.locator("#chat-log .tb-question").nth(1).hover()
    page.get_by_role("button", name="Edit message 2").click()
    page.get_by_text("You are editing message 2").wait_for()
    box = page.get_by_label("Your message")
    until(lambda: box.input_value() == "Two", page)
    assert page.evaluate("document.activeElement.closest('#chat-box') !== null")
    write(box, "Two, better")
    page.keyboard.press("Enter")
    page.get_by_text("you said 'Two, better'").wait_for()
    answered(page, 2)
    assert page.locator("#chat-log .tb-question .tb-said").all_inner_texts() == ["One", "Two, better"]
    assert page.locator("#chat-note").inner_text().strip() == ""
    assert [turn.content for turn in site.engine.requests[-1].turns][::2] == ["One", "Two, better"]
    page.locator("#chat-log .tb-question").first.hover()
    page.get_by_role("button", name="Edit message 1").click()
    page.get_by_role("button", name="Leave it as it is").click()
    until(lambda: box.input_value() == "", page)
    page.get_by_role("button", name="Delete message 1").click()
    until(lambda: page.locator("#chat-log .tb-exchange").count() == 1, page)
    settled(page, site.wire)
    page.reload()
    page.locator("#chat-log .tb-exchange").wait_for()
    assert page.locator("#chat-log .tb-question .tb-said").all_inner_texts() == ["Two, better"]


def test_a_damaged_conversation_of_the_browser_is_passed_over(page: Any, site: Site) -> None:
    page.evaluate(
        """() => {
          localStorage.setItem('tiebreak-chat:broken', '{');
          localStorage.setItem('tiebreak-chat:strange', JSON.stringify({id: '../x', exchanges: [{question: 'Odd'}]}));
          sessionStorage.setItem('tiebreak-open-chat', 'strange');
        }"""
    )
    page.reload()
    page.get_by_text("This conversation cannot be read").wait_for()
    say(page, "Hello")
    assert "you said 'Hello'" in answered(page)[0]
    page.evaluate("localStorage.clear()")


def test_a_list_that_tab_opened_is_closed_by_tab(page: Any) -> None:
    options = page.get_by_role("option")
    page.locator("#chat-model input").focus()
    until(lambda: options.count() > 1, page)
    page.keyboard.press("Tab")
    until(lambda: options.count() == 0, page)
    page.keyboard.press("Shift+Tab")
    until(lambda: options.count() > 1, page)
    page.keyboard.press("Shift+Tab")
    until(lambda: options.count() == 0, page)


def test_code_tables_and_mathematics_are_drawn_in_chat_and_comparison(page: Any, site: Site) -> None:
    site.engine.script["Draw"] = "$x^2$\n\n| a |\n|---|\n| 1 |\n\n```\ncode\n```\n[{word}](https://example.org)"
    say(page, "Draw")
    answered(page)
    compare(page, "Draw")
    for place, sides in (("#chat-log", 1), ("#compare-answers", 2)):
        for drawing in ("math msup", "table td", "pre code", "a[href='https://example.org']"):
            assert page.locator(f"{place} {drawing}").count() == sides


def test_a_refusal_by_the_rate_limit_is_a_sentence_and_the_message_stays(
    page: Any, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RateLimit, "wait", lambda *_: 7)
    say(page, "Too fast?")
    page.get_by_text("Too many requests. Try again in 7 s.").first.wait_for()  # the page asks for more than the answer
    assert page.get_by_label("Your message").input_value() == "Too fast?"
    monkeypatch.undo()
    page.get_by_role("button", name="Generate Response").click()
    assert "you said 'Too fast?'" in answered(page)[0]


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (413, '{"error": {"message": "The body of the request is longer than 9 bytes."}}', "longer than 9 bytes"),
        (401, '{"error": {"message": "The API key is missing or wrong."}}', "key is missing or wrong"),
        (502, "<html><h1>Bad Gateway</h1></html>", "The server refused this (502)"),
        (429, "", "The server refused this (429)"),
        (400, "null", "The server refused this (400)"),
    ],
)
def test_every_refusal_is_a_sentence_whatever_its_form(page: Any, status: int, body: str, sentence: str) -> None:
    page.route("**/gradio_api/queue/join*", lambda route: route.fulfill(status=status, body=body))
    say(page, "Hello")
    page.get_by_text(sentence).first.wait_for()
    assert page.get_by_text("Unexpected token").count() == page.get_by_text("is not valid JSON").count() == 0
