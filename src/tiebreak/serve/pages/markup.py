"""HTML of the pages, written so that whatever comes from models and people stays text.

Every text passes `escaped` on its way into a page, an answer `markdown.rendered`; nothing else may put one there. What
comes back from a list in which a line can be picked is whatever the browser sends: it is looked up and never trusted.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

import gradio as gr

from tiebreak.formatting.text import one_line, visible
from tiebreak.serve.pages.markdown import rendered
from tiebreak.serve.pages.streaming import Draft

# Shown where texts stand in a row.
_NAME = 80
_WAITING = '<span class="tb-dots" role="status" aria-label="The model is answering"></span>'

PICK_JS = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-pick]');
  if (button && element.contains(button)) trigger('click', {pick: button.dataset.pick});
});
"""
"""Lets the lines of a list be picked that are made with `pick_button`."""


def escaped(text: str) -> str:
    """A text as HTML that shows it letter by letter, control characters made visible."""
    return html.escape(visible(text), quote=True)


def escaped_line(text: str, limit: int = _NAME) -> str:
    """A name or a reason on one line, shortened."""
    return html.escape(one_line(text, limit), quote=True)


def said(text: str) -> str:
    """A text as it was said: line ends and spaces stay, and its direction follows its first letters."""
    return f'<div class="tb-said" dir="auto">{escaped(text)}</div>'


def notice(text: str, tone: str = "plain") -> str:
    """A sentence to the user; empty where there is none.

    Args:
        text: plain text.
        tone: `plain`, `good` or `bad`.
    """
    role = "alert" if tone == "bad" else "status"
    return f'<p class="tb-notice tb-{tone}" role="{role}">{escaped(text)}</p>' if text else ""


def tag(text: str, tone: str = "") -> str:
    """A small label."""
    return f'<span class="tb-tag{" tb-" + tone if tone else ""}">{escaped_line(text)}</span>'


def rows(pairs: Iterable[tuple[str, str]]) -> str:
    """Names with their values, both plain text."""
    found = "".join(
        f"<div><dt>{escaped_line(name)}</dt><dd>{escaped_line(value, 300)}</dd></div>" for name, value in pairs
    )
    return f'<dl class="tb-facts">{found}</dl>' if found else ""


def answer_card(draft: Draft, title: str, label: str = "") -> str:
    """An answer with its name above it.

    Args:
        draft: the answer so far.
        title: HTML.
        label: for those who hear the page, plain text.
    """
    parts = [rendered(draft.text)] if draft.text else []
    if not draft.done:
        parts.append(_WAITING)
    elif not draft.text and not draft.error:
        parts.append('<p class="tb-quiet">an empty answer</p>')
    if draft.error:
        parts.append(notice(draft.error, "bad"))
    elif draft.done and draft.finish is None:
        parts.append('<p class="tb-quiet">stopped</p>')
    elif draft.finish == "length":
        parts.append('<p class="tb-quiet">cut at the maximum length</p>')
    state = ' aria-busy="true"' if not draft.done else ""
    copy = _copy_button(draft.text) if draft.done and draft.text else ""
    hint = f' aria-label="{escaped_line(label)}"' if label else ""
    return (
        f'<div class="tb-answer" role="group"{state}{hint}>'
        f'<div class="tb-head"><span class="tb-who">{title}</span>{copy}</div>{"".join(parts)}</div>'
    )


def _copy_button(text: str) -> str:
    """Copies an answer as the model wrote it; the script of the page does it."""
    label = 'aria-label="Copy the answer"'
    return f'<button type="button" class="tb-copy" data-copy="{escaped(text)}" {label}>Copy</button>'


def pick_button(pick: str, words: str, *, inner: str = "", current: bool = False) -> str:
    """A button that picks.

    Args:
        pick: what is sent.
        words: on the button, plain text.
        inner: HTML instead of the words.
        current: whether this one is picked already.
    """
    state = ' aria-current="true"' if current else ""
    return (
        f'<button type="button" class="tb-pick" data-pick="{escaped(pick)}"{state}>{inner or escaped(words)}</button>'
    )


def picked(event: gr.EventData) -> str:
    """What a browser says was picked; empty where that is no text."""
    data: Any = event._data
    found = data.get("pick") if isinstance(data, dict) else None
    return found if isinstance(found, str) else ""
