"""Texts become HTML that shows them and does nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.serve.pages.attacks import ATTACKS
from tests.serve.pages.reading import ANSWER_ATTRIBUTES, ANSWER_ELEMENTS, Read
from tiebreak.formatting.text import visible
from tiebreak.serve.generation.engine import ServedModel
from tiebreak.serve.pages.chat import conversation_html
from tiebreak.serve.pages.context import Exchange
from tiebreak.serve.pages.markup import escaped_line, notice, pick_button, said
from tiebreak.serve.pages.mount import footer
from tiebreak.serve.pages.streaming import Draft

_HARMLESS = {"div", "p", "span", "button", "ul", "li", "strong"}
_TEXTS = st.one_of(st.text(), st.sampled_from(ATTACKS), st.text(alphabet="<>&\"'=/ ajscript:`${}"))


@given(_TEXTS)
def test_a_text_is_shown_letter_by_letter(text: str) -> None:
    read = Read(said(text))
    assert read.tags == ["div"]
    assert read.text == visible(text)


@given(_TEXTS, _TEXTS, _TEXTS)
def test_no_text_makes_more_than_markdown_of_an_answer(question: str, answer: str, name: str) -> None:
    model = ServedModel(name, name, name, name)
    html = conversation_html([Exchange(question, model, Draft(answer, True, "stop"))], problem=answer)
    read = Read(html + footer([model]) + notice(name) + pick_button(name, name))
    assert set(read.tags) <= _HARMLESS | ANSWER_ELEMENTS
    assert {key for key, _ in read.attributes} <= ANSWER_ATTRIBUTES | {
        "role", "type", "aria-label", "aria-busy", "data-pick", "data-copy",
    }  # fmt: skip


@given(_TEXTS)
def test_a_name_stands_on_one_line(name: str) -> None:
    assert "\n" not in escaped_line(name)
