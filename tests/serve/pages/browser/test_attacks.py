"""Texts that want to be more than text, and requests for what is none of a visitor's business, in a real browser."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.serve.pages.attacks import ATTACKS
from tests.serve.pages.browser.conftest import Site
from tests.serve.pages.browser.steps import answered, compare, drawn, open_page, say, until, vote, write
from tests.serve.pages.engine_double import EngineDouble
from tests.serve.pages.site import serving
from tiebreak.serve.generation.engine import ServedModel
from tiebreak.serve.pages import PageSettings

# But what is nested so deep that the whole is shown letter by letter.
EVERYTHING = "\n\n".join(attack for attack in ATTACKS if not attack.startswith("> "))
CONTROLS = "bell\x07 escape\x1b[31m override\u202egnp.exe zero\u200bwidth"


def _unharmed(page: Any) -> None:
    drawn(page)
    assert page.evaluate("window.__pwned") is None
    made = "#chat-log, #compare-answers, #compare-tally, #data-list, #data-editor, .tb-foot"
    dangerous = (
        "script, img, iframe, style, meta, object, embed, svg:not(.tb-bar-svg), math [href], math [class], "
        "a[href]:not([href^='http://']):not([href^='https://']):not([href^='mailto:']), "
        "[onload], [onerror], [onclick], [onmouseover]"
    )
    found = """([made, dangerous]) =>
      [...document.querySelectorAll(made)].flatMap(one => [...one.querySelectorAll(dangerous)]).length"""
    assert page.evaluate(found, [made, dangerous]) == 0


def _telling(shown: str) -> bool:
    """Whether what would have acted can be read instead."""
    return all(
        part in shown for part in ("<script>window.__pwned = 1</script>", "onerror='window.__pwned = 2'", "<iframe")
    )


def test_what_a_person_and_a_model_say_in_the_chat_cannot_act(page: Any, site: Site) -> None:
    site.engine.script[EVERYTHING] = EVERYTHING
    say(page, EVERYTHING)
    assert _telling(answered(page)[0])
    assert page.locator("#chat-log .tb-question .tb-said").inner_text() == EVERYTHING
    _unharmed(page)


def test_control_characters_are_shown_as_signs(page: Any, site: Site) -> None:
    site.engine.script["controls"] = CONTROLS
    say(page, "controls")
    assert answered(page) == ["bell␇ escape␛[31m override�gnp.exe zero�width"]


def test_what_is_compared_voted_and_corrected_stays_text(page: Any, site: Site) -> None:
    site.engine.script[EVERYTHING] = EVERYTHING + " {word}"
    compare(page, EVERYTHING)
    assert all(map(_telling, page.locator("#compare-answers .tb-said").all_inner_texts()))
    _unharmed(page)
    page.get_by_role("button", name="Say why, or write a better answer (optional)").click()
    write(page.get_by_label("Why?").locator("visible=true"), EVERYTHING)
    write(page.get_by_label("A better answer").locator("visible=true"), EVERYTHING + "!")
    vote(page, "Left is better")
    _unharmed(page)
    assert site.votes.votes()[0].reason == EVERYTHING
    open_page(page, "Data")
    page.locator("#data-list .tb-vote").wait_for()
    assert ATTACKS[0] in page.locator("#data-list .tb-more").first.inner_text()
    _unharmed(page)
    page.get_by_role("button", name="Correct", exact=True).click()
    page.locator("#data-editor .tb-said").first.wait_for()
    prompt, *answers = page.locator("#data-editor .tb-said").all_inner_texts()
    assert prompt == EVERYTHING
    assert sorted(answers) == [f"{EVERYTHING} {word}" for word in ("Amber", "Birch")]
    _unharmed(page)


def test_names_of_models_and_their_licences_stay_text(context: Any, site: Site, tmp_path: Path) -> None:
    nasty = [ServedModel(attack, attack, attack, attack) for attack in ATTACKS]
    settings = PageSettings(examples=ATTACKS[:3])
    page = context.new_page()
    elsewhere: list[str] = []
    dialogs: list[str] = []

    def dismiss(dialog: Any) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    with serving(EngineDouble(*nasty), site.votes, tmp_path, settings) as (url, _):
        page.on("request", lambda asked: None if asked.url.startswith(url) else elsewhere.append(asked.url))
        page.goto(url)
        page.get_by_role("button", name=ATTACKS[0]).click()
        until(lambda: page.get_by_label("Your message").input_value() == ATTACKS[0], page)
        say(page, "Hello")
        answered(page)
        _unharmed(page)
        page.get_by_label("Model", exact=True).locator("visible=true").click()
        page.get_by_role("option").nth(4).click()
        compare(page, "Hello")
        vote(page, "Left is better")
        assert ATTACKS[0] in page.locator("#compare-tally").inner_text()
        _unharmed(page)
        open_page(page, "Data")
        page.locator("#data-list .tb-vote").wait_for()
        _unharmed(page)
        page.close()
    assert (elsewhere, dialogs) == ([], [])


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=../../../../etc/passwd",
        "/gradio_api/file=%2Fetc%2Fpasswd",
        "/gradio_api/file/etc/passwd",
        "/file=/etc/passwd",
        "/static/../../../../../../etc/passwd",
        "/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/assets//etc/passwd",
        "/static//etc/passwd",
        "/gradio_api/../etc/passwd",
        "/gradio_api/proxy=http://127.0.0.1:1/",
        "/gradio_api/custom_component/1/client/component/../../../../etc/passwd",
        "/gradio_api/upload_progress?upload_id=1",
        "/gradio_api/deep_link",
        "/gradio_api/runs",
        "/gradio_api/info",
        "/gradio_api/app_id",
        "/monitoring/summary",
        "/gradio_api/stream/a/b/c/playlist-file",
        "/svelte/etc/passwd",
        "/login_check",
        "/votes/../../etc/passwd",
    ],
)
def test_no_file_and_no_other_address_of_gradio_is_open(whole_site: Site, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(whole_site.url + path)
    assert refused.value.code in (400, 403, 404, 405)
    assert b"root:" not in refused.value.read()


@pytest.mark.parametrize(
    "path",
    ["/gradio_api/upload", "/gradio_api/component_server", "/gradio_api/vibe-code", "/login", "/gradio_api/call/ask"],
)
def test_nothing_can_be_uploaded_or_called_beside_the_pages(whole_site: Site, path: str) -> None:
    asked = urllib.request.Request(whole_site.url + path, data=b"{}", headers={"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked)
    assert refused.value.code in (403, 404, 405)


def test_a_page_of_another_site_cannot_vote(browser: Any, page: Any, site: Site) -> None:
    """The other site is the same machine under another name, whose page sends what the vote button would send."""
    sent: list[Any] = []
    page.on("request", lambda request: sent.append(request) if "queue/join" in request.url else None)
    compare(page, "From elsewhere?")
    sent.clear()
    vote(page, "Tie")
    body = sent[0].post_data
    before = site.votes.count()
    elsewhere = browser.new_context().new_page()
    elsewhere.route(
        "http://elsewhere.invalid/", lambda route: route.fulfill(body="<p>hello</p>", content_type="text/html")
    )
    elsewhere.goto("http://elsewhere.invalid/")
    status = elsewhere.evaluate(
        """async ([url, body]) => {
          const how = {method: 'POST', body, headers: {'Content-Type': 'text/plain'}, mode: 'no-cors'};
          try { return (await fetch(url + '/gradio_api/queue/join', how)).type; } catch { return 'refused'; }
        }""",
        [site.url, body.replace("tie", "left")],
    )
    assert status in ("opaque", "refused")
    asked = urllib.request.Request(
        f"{site.url}/gradio_api/queue/join",
        data=body.encode(),
        headers={"Content-Type": "application/json", "Origin": "http://elsewhere.invalid"},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked)
    assert refused.value.code == 403
    assert site.votes.count() == before
    elsewhere.context.close()


def test_every_page_forbids_the_browser_to_fetch_from_elsewhere(whole_site: Site) -> None:
    with urllib.request.urlopen(whole_site.url) as answer:
        policy, text = answer.headers["Content-Security-Policy"], answer.read().decode()
    assert "default-src 'self'" in policy
    assert "img-src 'self' data:" in policy
    assert "fonts.googleapis.com" not in text
    assert "/tmp/" not in text
