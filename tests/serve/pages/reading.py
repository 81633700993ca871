"""What a browser would see in HTML, and what may be in an answer."""

from __future__ import annotations

from html.parser import HTMLParser

from tiebreak.serve.pages.mathematics import ATTRIBUTES, ELEMENTS

ANSWER_ELEMENTS = ELEMENTS | frozenset(
    {
        *("div", "p", "br", "hr", "blockquote", "ol", "ul", "li", "pre", "h3", "h4", "h5", "h6", "table"),
        *("thead", "tbody", "tr", "th", "td", "strong", "em", "s", "code", "a", "span"),
    }
)
ANSWER_ATTRIBUTES = ATTRIBUTES | {"class", "dir", "tabindex", "href", "title", "target", "rel", "start"}


class Read(HTMLParser):
    """Elements, their attributes, and text."""

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

    @property
    def links(self) -> list[str]:
        """Where its links lead."""
        return [value or "" for name, value in self.attributes if name == "href"]
