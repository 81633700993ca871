"""Tables of pages, well written and not."""

from __future__ import annotations

import pytest

from tiebreak.doctor.reading.markup import html_tables, is_markdown, markdown_tables


def test_markdown_with_text_around_and_escaped_bars() -> None:
    text = "Some | text.\n\n| a | **b** |\n|:--|--:|\n| 1 | x \\| y |\n| 2 |\n\nEnd.\n\na | b\n--- | ---\n3 | 4\n"
    first, second = markdown_tables(text)
    assert (first.line, first.header, first.rows) == (3, ("a", "b"), (("1", "x | y"), ("2", "")))
    assert (second.header, second.rows) == (("a", "b"), (("3", "4"),))
    assert is_markdown(text)
    assert not is_markdown("a | b\nc | d\n---\n")


def test_html_as_a_notebook_writes_it_and_as_people_do() -> None:
    (table,) = html_tables(
        "<p>Hello &amp; more</p><table><thead><tr><th>Step</th><th>Training <b>Loss</b></th></tr></thead>"
        "<tr><td>500<td>0.5&#48;<tr><td>1000</td><td> 0.4\n </td></tr></table>"
    )
    assert table.header == ("Step", "Training Loss")
    assert table.rows == (("500", "0.50"), ("1000", "0.4"))


@pytest.mark.parametrize("text", ["", "<table>", "<table><tr>", "</table></td>", "<td>1</td>", "plain"])
def test_html_without_a_row_has_no_table(text: str) -> None:
    assert [table.rows for table in html_tables(text)] in ([], [()])


def test_scripts_are_no_cells_and_inner_tables_are_their_own() -> None:
    inner = "<table><tr><td>in</td></tr></table>"
    found = html_tables(f"<table><tr><td>a<script>alert(1)</script></td><td>{inner}</td></tr></table>")
    assert sorted(table.header for table in found) == [("a", ""), ("in",)]


def test_a_table_that_is_not_closed_is_taken_as_it_is() -> None:
    (table,) = html_tables("<table><tr><th>Step</th><tr><td>1")
    assert (table.header, table.rows) == (("Step",), (("1",),))
