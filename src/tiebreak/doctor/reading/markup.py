"""Tables in Markdown and in HTML: of a model card, a README, a notebook. Gives cells; knows no metric.

Whatever else the page says or does is passed over: nothing of it is run, followed or shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import pairwise

_RULE = re.compile(r"^\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?$")
_BAR = re.compile(r"(?<!\\)\|")
_UNSEEN = ("script", "style", "template")


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        line: where it begins.
        header: names of its columns.
        rows: its cells, as many a row as there are columns.
    """

    line: int
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def is_markdown(text: str) -> bool:
    """Whether a text has a table in Markdown: a line of bars and dashes below one with bars."""
    lines = text.splitlines()
    return any("|" in above and _is_rule(line) for above, line in pairwise(lines))


def markdown_tables(text: str) -> list[Table]:
    """The tables of a text in Markdown."""
    lines = text.splitlines()
    found = []
    number = 1
    while number < len(lines):
        if not ("|" in lines[number - 1] and _is_rule(lines[number])):
            number += 1
            continue
        header = _cells(lines[number - 1])
        end = number + 1
        while end < len(lines) and "|" in lines[end]:
            end += 1
        found.append(_table(number, header, [_cells(line) for line in lines[number + 1 : end]]))
        number = end + 1
    return found


def html_tables(text: str) -> list[Table]:
    """The tables of a text in HTML; of one inside another, each is a table of its own."""
    parser = _Tables()
    parser.feed(text)
    parser.close()
    parser.finish()
    return [_table(line, rows[0], rows[1:]) for line, rows in parser.found if rows]


def _table(line: int, header: list[str], rows: list[list[str]]) -> Table:
    """A table in which short rows are filled up and long ones cut, as a browser shows them."""
    width = len(header)
    filled = (tuple((row + [""] * width)[:width]) for row in rows if any(row))
    return Table(line, tuple(header), tuple(filled))


def _is_rule(line: str) -> bool:
    return "-" in line and "|" in line and _RULE.match(line.strip()) is not None


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return [cell.replace("\\|", "|").strip().strip("*`").replace("\\_", "_") for cell in _BAR.split(inner)]


class _Tables(HTMLParser):
    """Collects the cells of tables."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, list[list[str]]]] = []
        self._open: list[tuple[int, list[list[str]]]] = []
        self._cell: list[str] | None = None
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag == "table":
            self._end_cell()
            self._open.append((self.getpos()[0], []))
        elif tag == "tr" and self._open:
            self._end_cell()
            self._open[-1][1].append([])
        elif tag in ("td", "th") and self._open:
            self._end_cell()
            if not self._open[-1][1]:
                self._open[-1][1].append([])
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in ("td", "th", "tr"):
            self._end_cell()
        elif tag == "table" and self._open:
            self._end_cell()
            self.found.append(self._open.pop())

    def handle_data(self, data: str) -> None:
        if self._cell is not None and not self._unseen:
            self._cell.append(data)

    def finish(self) -> None:
        """Take what is not closed as it is."""
        self._end_cell()
        self.found += self._open

    def _end_cell(self) -> None:
        if self._cell is not None and self._open and self._open[-1][1]:
            self._open[-1][1][-1].append(" ".join("".join(self._cell).split()))
        self._cell = None
