"""The page of a profile."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from tests.data.files import load, pairs, write
from tiebreak.data.profile.html import profile_page
from tiebreak.data.profile.measure import profile

ROWS = [
    *pairs(5),
    pairs(1)[0],
    {"prompt": "question 1", "chosen": "a bad one to 1", "rejected": "a good answer to 1"},
    {"prompt": "same", "chosen": "x", "rejected": "x"},
    {"prompt": "<script>alert(1)</script> & «more»", "chosen": "</div><b>", "rejected": 'quote " and \x1b[31m red'},
]


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in ("meta", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag


def test_the_page_stands_alone_and_escapes_the_data(tmp_path: Path) -> None:
    result = profile(load(write(tmp_path / "data.jsonl", ROWS[-2:])))
    page = profile_page(result)
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []
    assert not tags.seen & {"script", "link", "img", "iframe"}
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not re.search(r"https?://|url\(|@import", page)
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page
    assert page.count("<svg") == 4
