"""Text that others wrote is shown as it is, is no markup, and is limited."""

from __future__ import annotations

from tiebreak.formatting.text import fenced, inline, one_line, visible


def test_a_fence_is_longer_than_any_in_the_text() -> None:
    assert fenced("a ````` b").startswith("``````\n")


def test_one_line_of_markdown_has_no_markup_and_no_border_of_a_table() -> None:
    assert inline("a *b* | <c>\nhttps://x") == "a \\*b\\* \\| \\<c\\> https:\\//x"


def test_what_changes_how_text_is_read_is_shown_as_a_sign() -> None:
    assert visible("a\x1b[2J\u202eb\tc\r\nd") == "a␛[2J\ufffdb\tc\nd"


def test_a_long_text_says_how_much_is_dropped() -> None:
    assert one_line("x" * 200, 10) == "xxxxxxxxxx … (30 more characters)"
