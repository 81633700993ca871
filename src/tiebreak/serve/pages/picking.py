"""Lists of which a line can be picked: HTML whose buttons say which line they belong to.

What comes back is whatever the browser sends, so it is looked up and never trusted.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from tiebreak.serve.pages.markup import escaped

PICK_JS = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-pick]');
  if (button && element.contains(button)) trigger('click', {pick: button.dataset.pick});
});
"""


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
