"""Answers become Markdown that is readable, and cannot act, fetch or hide."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.serve.pages.attacks import ATTACKS
from tests.serve.pages.reading import ANSWER_ATTRIBUTES, ANSWER_ELEMENTS, Read
from tiebreak.serve.pages.markdown import MOST, rendered, safe_link

_PARTS = (
    *("<", ">", "&", '"', "'", "`", "```", "~~~", "$", "$$", "\\(", "\\)", "\\[", "\\]", "[", "](", ")", "!["),
    *("|", "\n", "\n\n", "> ", "- ", "1. ", "# ", "    ", "javascript:", "data:text/html,", "http://a.b", "//a.b"),
    *("\\href{", "\\text{", "\\begin{align}", "\\end{align}", "}", "<img src=x onerror=", "<script>", "x", " "),
)
_TEXTS = st.one_of(
    st.text(),
    st.lists(st.sampled_from(ATTACKS), max_size=3).map("\n".join),
    st.lists(st.sampled_from(_PARTS)).map("".join),
)


def _harmless(html: str) -> Read:
    read = Read(html)
    assert set(read.tags) <= ANSWER_ELEMENTS
    assert {name for name, _ in read.attributes} <= ANSWER_ATTRIBUTES
    assert all(link.lower().startswith(("http://", "https://", "mailto:")) for link in read.links)
    return read


@given(_TEXTS)
def test_no_text_makes_more_than_markdown(text: str) -> None:
    _harmless(rendered(text))


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_beginning_of_an_attack_is_harmless_as_well(attack: str) -> None:
    """An answer is drawn again and again while it grows: fences, tables and formulas are open then."""
    for end in range(len(attack) + 1):
        _harmless(rendered(f"```html\n{attack[:end]}"))
        _harmless(rendered(f"| a |\n|---|\n| {attack[:end]}"))
        _harmless(rendered(f"$${attack[:end]}"))


@given(st.text(alphabet="abc <>&", min_size=1).filter(lambda text: bool(text.strip())))
def test_words_that_are_no_markdown_stay_as_they_are(text: str) -> None:
    assert Read(rendered(f"x {text.strip()} y")).text.split() == f"x {text.strip()} y".split()


def test_code_tables_lists_and_headings_are_drawn() -> None:
    html = rendered(
        "# One\n\n**b** *i* `c<d>`\n\n```py\n<b>\n```\n\n| a | b |\n|--:|:-:|\n| 1 | 2 |\n\n1. x\n   - y\n\n> q"
    )
    assert "<h3>One</h3>" in html
    assert "<strong>b</strong> <em>i</em> <code>c&lt;d&gt;</code>" in html
    assert '<pre tabindex="0"><code>&lt;b&gt;\n</code></pre>' in html
    assert '<th class="tb-right">a</th>' in html
    assert '<td class="tb-center">2</td>' in html
    assert Read(html).tags.count("li") == 2
    assert "blockquote" in Read(html).tags


@pytest.mark.parametrize(
    "text", ["$x^2$", "$$x^2$$", "\\(x^2\\)", "\\[x^2\\]", "\\[\nx^2\n\\]", "a $x^2$.", "$$\nx^2\n$$"]
)
def test_mathematics_is_drawn_however_it_is_written(text: str) -> None:
    assert "<msup><mi>x</mi><mn>2</mn></msup>" in rendered(text)


@pytest.mark.parametrize(
    "text", ["It costs $5 and $6.", "from $10 to $20 a month", "$HOME and $PATH are set", "a $ b $ c"]
)
def test_amounts_of_money_are_no_mathematics(text: str) -> None:
    assert Read(rendered(text)).text.strip() == text


def test_a_line_end_is_one() -> None:
    assert "one<br>" in rendered("one\ntwo")


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://example.org/a?b=c", True),
        ("HTTP://example.org", True),
        ("mailto:a@example.org", True),
        ("javascript:alert(1)", False),
        ("JaVaScRiPt:alert(1)", False),
        ("java\tscript:alert(1)", False),
        ("vbscript:x", False),
        ("data:text/html,x", False),
        ("data:image/png;base64,AAAA", False),
        ("file:///etc/passwd", False),
        ("blob:https://example.org/1", False),
        ("//example.org", False),
        ("/votes/export.jsonl", False),
        ("?x", False),
        ("#x", False),
        ("https://bank.example@evil.example/", False),
        ("https://", False),
        ("https:///x", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_links_lead_to_web_pages_and_mail_addresses_only(address: str, safe: bool) -> None:
    assert safe_link(address) is safe
    links = Read(rendered(f"[words](<{address}>)")).links
    assert bool(links) is safe


def test_a_link_opens_apart_shows_where_it_leads_and_tells_nobody_whence() -> None:
    attributes = dict(Read(rendered("[words](https://example.org/x)")).attributes)
    assert attributes["title"] == attributes["href"] == "https://example.org/x"
    assert attributes["target"] == "_blank"
    assert {"noopener", "noreferrer"} <= set((attributes["rel"] or "").split())


@pytest.mark.parametrize(
    "text",
    [
        "![a cat](https://example.org/cat.png)",
        "![a cat][1]\n\n[1]: https://example.org/cat.png",
        "[![a cat](https://example.org/cat.png)](https://example.org)",
    ],
)
def test_a_picture_is_named_and_never_fetched(text: str) -> None:
    read = _harmless(rendered(text))
    assert "picture: a cat" in read.text
    assert "src" not in dict(read.attributes)


@pytest.mark.parametrize(
    "text",
    [
        ">" * 5_000 + " hidden",
        "- " * 2_000 + "hidden",
        "\n".join("  " * depth + "- x" for depth in range(200)) + "\n" + "  " * 200 + "- hidden",
        "1. " * 500 + "hidden",
        "[hidden]: https://example.org",
    ],
)
def test_nothing_is_hidden_by_depth_or_as_a_definition(text: str) -> None:
    assert "hidden" in Read(rendered(text)).text


def test_a_text_too_long_to_read_is_shown_letter_by_letter() -> None:
    text = "**b** <i>\n" * MOST
    read = Read(rendered(text))
    assert (read.tags, read.text) == (["div"], text)


def test_control_characters_are_shown_as_signs() -> None:
    assert "\u202e" not in rendered("over\u202eride")
    assert "␛" in rendered("`\x1b[31m`")
