"""Answers as Markdown: code, tables, lists and formulas, and nothing that could act or fetch.

HTML in an answer stays text; pictures are named and never fetched; a link leads to a web page or a mail address that
it shows, or stays text. What was made passes a sanitiser with a list of its own, so that a fault in one of them is no
hole.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.texmath import texmath_plugin

from tiebreak.formatting.text import visible
from tiebreak.serve.pages.mathematics import ATTRIBUTES, ELEMENTS, Place, formula

MOST = 24_000
"""Characters of the longest text that is read as Markdown; a longer one is shown letter by letter."""

# Blocks in blocks, of which the parser would leave out what lies deeper.
_DEEPEST = 16
# Something besides tags and space, or a line across.
_SEEN = re.compile(r"<hr>|>[^<]*[^<\s]")
_SCHEMES = frozenset({"http", "https", "mailto"})
_BLOCKS = frozenset(
    {
        *("p", "br", "hr", "blockquote", "ol", "ul", "li", "pre", "h3", "h4", "h5", "h6", "table", "thead"),
        *("tbody", "tr", "th", "td", "div"),
    }
)
_INLINE = frozenset(["strong", "em", "s", "code", "a", "span"])
_ALIGNED = {"text-align:right": "tb-right", "text-align:center": "tb-center", "text-align:left": "tb-left"}
_CLEANER = nh3.Cleaner(
    tags=set(_BLOCKS | _INLINE | ELEMENTS),
    clean_content_tags={"script", "style"},
    attributes={
        "a": {"href", "title", "target"},
        "div": {"class", "tabindex"},
        "span": {"class"},
        "pre": {"tabindex"},
        "th": {"class"},
        "td": {"class"},
        "ol": {"start"},
        **{element: set(ATTRIBUTES) for element in ELEMENTS},
    },
    url_schemes=set(_SCHEMES),
    link_rel="noopener noreferrer nofollow",
    strip_comments=True,
)


@lru_cache(maxsize=512)
def rendered(text: str) -> str:
    """A text as HTML that is safe to put into a page.

    Args:
        text: whatever a model wrote, perhaps the beginning of it.
    """
    shown = visible(text)
    made = _made(shown) if len(text) <= MOST else None
    if made is None:
        return f'<div class="tb-said tb-plain" dir="auto">{_escaped(shown)}</div>'
    return f'<div class="tb-said tb-markdown" dir="auto">{made}</div>'


def _made(text: str) -> str | None:
    """A text as Markdown; None where that would hide a part of it: too deep, or with nothing to see."""
    reader, env = _reader(), dict[str, Any]()
    tokens = reader.parse(text, env)
    if any(token.level >= _DEEPEST for token in tokens):
        return None
    made = _CLEANER.clean(reader.renderer.render(tokens, reader.options, env))
    return made if not text.strip() or _SEEN.search(made) else None


class _Reader(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802  as the library calls it
        return safe_link(url)


@lru_cache(maxsize=1)
def _reader() -> MarkdownIt:
    reader = _Reader("commonmark", {"html": False, "breaks": True, "maxNesting": 2 * _DEEPEST})
    reader.enable(["table", "strikethrough"])
    reader.use(texmath_plugin, delimiters="brackets")
    reader.use(dollarmath_plugin, allow_labels=False, allow_space=False, allow_digits=False, double_inline=True)
    reader.use(amsmath_plugin)
    for kind, rule in _RULES.items():
        reader.add_render_rule(kind, rule)
    return reader


def safe_link(address: str) -> bool:
    """Whether a link may lead there: a web page or a mail address, in full, that hides no user's name before it."""
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return False
    if parts.scheme.lower() == "mailto":
        return bool(parts.path)
    return parts.scheme.lower() in _SCHEMES and bool(parts.hostname) and "@" not in parts.netloc


_PLACES: dict[str, Place] = {"math_inline": "inline", "math_inline_double": "line"}
Tokens = Sequence[Token]


def _escaped(text: str) -> str:
    return html.escape(text, quote=True)


def _heading(_: RendererHTML, tokens: Tokens, at: int, *__: Any) -> str:
    """Headings of an answer stand below those of the page."""
    slash = "/" if tokens[at].nesting < 0 else ""
    return f"<{slash}h{min(int(tokens[at].tag[1]) + 2, 6)}>"


def _code(_: RendererHTML, tokens: Tokens, at: int, *__: Any) -> str:
    return f'<pre tabindex="0"><code>{_escaped(tokens[at].content)}</code></pre>'


def _link(self: RendererHTML, tokens: Tokens, at: int, options: Any, _: Any) -> str:
    address = str(tokens[at].attrGet("href") or "")
    tokens[at].attrs = {"href": address, "title": address, "target": "_blank"}
    return self.renderToken(tokens, at, options, _)


def _picture(self: RendererHTML, tokens: Tokens, at: int, options: Any, env: Any) -> str:
    token = tokens[at]
    name = self.renderInlineAsText(token.children, options, env) if token.children else ""
    words = f"picture: {name}" if name else "picture"
    return f'<span class="tb-picture">[{_escaped(words)} ({_escaped(str(token.attrGet("src") or ""))})]</span>'


def _table(_: RendererHTML, tokens: Tokens, at: int, *__: Any) -> str:
    return '<div class="tb-wide" tabindex="0"><table>' if tokens[at].nesting > 0 else "</table></div>"


def _cell(_: RendererHTML, tokens: Tokens, at: int, *__: Any) -> str:
    side = _ALIGNED.get(str(tokens[at].attrGet("style") or ""), "tb-left")
    return f'<{tokens[at].tag} class="{side}">'


def _formula(_: RendererHTML, tokens: Tokens, at: int, *__: Any) -> str:
    return formula(tokens[at].content, _PLACES.get(tokens[at].type, "block"))


_RULES: dict[str, Any] = {
    "heading_open": _heading,
    "heading_close": _heading,
    "fence": _code,
    "code_block": _code,
    "link_open": _link,
    "image": _picture,
    "table_open": _table,
    "table_close": _table,
    "th_open": _cell,
    "td_open": _cell,
    "math_inline": _formula,
    "math_inline_double": _formula,
    "math_single": _formula,
    "math_block": _formula,
    "math_block_eqno": _formula,
    "math_block_label": _formula,
    "amsmath": _formula,
}
