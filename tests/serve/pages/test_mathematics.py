"""Formulas become MathML of a short list of elements, or stay as they were written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.serve.pages.reading import Read
from tiebreak.serve.pages.mathematics import ATTRIBUTES, ELEMENTS, formula

_COMMANDS = (
    "\\href",
    "\\class",
    "\\style",
    "\\id",
    "\\text",
    "\\frac",
    "\\sqrt",
    "\\left",
    "\\right",
    "\\color",
    "\\url",
)
_PIECES = (
    *_COMMANDS,
    "{",
    "}",
    "^",
    "_",
    "&",
    "\\\\",
    "x",
    "1",
    "<img src=x onerror=1>",
    "javascript:x",
    "'",
    '"',
    " ",
)


@given(st.one_of(st.text(), st.lists(st.sampled_from(_PIECES), max_size=30).map("".join)))
def test_no_formula_makes_anything_else(latex: str) -> None:
    read = Read(formula(latex, "inline"))
    assert set(read.tags) <= ELEMENTS | {"code"}
    assert {name for name, _ in read.attributes} <= ATTRIBUTES


def test_fractions_roots_sums_and_matrices_are_drawn() -> None:
    tags = Read(formula(r"\frac{a}{b} + \sqrt{x} + \sum_{i=1}^n \begin{pmatrix}1&2\\3&4\end{pmatrix}", "block")).tags
    assert {"mfrac", "msqrt", "mtable"} <= set(tags)


@pytest.mark.parametrize(
    "latex",
    [
        r"\href{javascript:alert(1)}{x}",
        r"\class{tb-pick}{x}",
        r"\style{position:fixed}{x}",
        r"\text{<img src=x onerror=1>}",
    ],
)
def test_commands_that_would_act_do_not(latex: str) -> None:
    html = formula(latex, "inline")
    assert {name for name, _ in Read(html).attributes} <= {"display"}
    assert "<img" not in html


@pytest.mark.parametrize(
    "latex",
    [
        r"\includegraphics{http://evil.invalid/x.png}",
        r"\unknown{x}",
        "x^",
        "{" * 3000,
        r"\frac{" * 1000,
        "",
        "a" * 9000,
    ],
)
def test_what_cannot_be_read_is_shown_as_it_was_written(latex: str) -> None:
    read = Read(formula(latex, "inline"))
    assert (read.tags, read.text) == (["code"], latex)


def test_a_formula_on_its_own_can_be_scrolled_and_one_in_a_sentence_stays_in_it() -> None:
    assert Read(formula("x", "block")).tags[:2] == ["div", "math"]
    assert Read(formula("x", "line")).tags[:2] == ["span", "math"]
    assert Read(formula("x", "inline")).tags[0] == "math"
    assert Read(formula(r"\nope", "block")).tags == ["pre", "code"]
