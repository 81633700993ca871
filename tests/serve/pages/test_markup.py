"""Texts become HTML that shows them and does nothing else."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from tests.serve.pages.browser.test_attacks import ATTACKS
from tiebreak.report.text import visible
from tiebreak.serve.engine import ServedModel
from tiebreak.serve.pages.asking import Draft
from tiebreak.serve.pages.chat_view import conversation
from tiebreak.serve.pages.markup import escaped_line, notice, said
from tiebreak.serve.pages.mount import footer
from tiebreak.serve.pages.picking import pick_button
from tiebreak.serve.pages.session import Exchange


class _Read(HTMLParser):
    """What a browser would see: elements, their attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


_HARMLESS = {"div", "p", "span", "button", "ul", "li", "strong"}
_TEXTS = st.one_of(st.text(), st.sampled_from(ATTACKS), st.text(alphabet="<>&\"'=/ ajscript:`${}"))


@given(_TEXTS)
def test_a_text_is_shown_letter_by_letter(text: str) -> None:
    read = _Read(said(text))
    assert read.tags == ["div"]
    assert read.text == visible(text)


@given(_TEXTS, _TEXTS, _TEXTS)
def test_no_text_makes_an_element_or_an_attribute(question: str, answer: str, name: str) -> None:
    model = ServedModel(name, name, name, name)
    html = conversation([Exchange(question, model, Draft(answer, True, "stop"))], problem=answer)
    read = _Read(html + footer([model]) + notice(name) + pick_button(name, name))
    assert set(read.tags) <= _HARMLESS
    assert {key for key, _ in read.attributes} <= {
        "class", "dir", "role", "type", "aria-label", "aria-busy", "data-pick",
    }  # fmt: skip


@given(_TEXTS)
def test_a_name_stands_on_one_line(name: str) -> None:
    assert "\n" not in escaped_line(name)
