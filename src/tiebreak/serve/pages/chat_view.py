"""How a conversation looks."""

from __future__ import annotations

from collections.abc import Sequence

from tiebreak.serve.engine import ServedModel
from tiebreak.serve.pages.asking import Draft
from tiebreak.serve.pages.markup import COPY, escaped_line, notice, said
from tiebreak.serve.pages.session import Exchange

_WAITING = '<span class="tb-dots" role="status" aria-label="The model is answering"></span>'
EMPTY = (
    '<div class="tb-empty"><p class="tb-empty-title">Ask the model something.</p>'
    "<p>Type below, or begin with an example.</p></div>"
)


def conversation(exchanges: Sequence[Exchange], problem: str = "") -> str:
    """The whole conversation as HTML.

    Args:
        exchanges: in their order.
        problem: what went wrong, if something did.
    """
    if not exchanges and not problem:
        return EMPTY
    return "".join(_exchange(exchange) for exchange in exchanges) + notice(problem, "bad")


def answer_card(draft: Draft, title: str, label: str = "") -> str:
    """An answer with its name above it.

    Args:
        draft: the answer so far.
        title: HTML.
        label: for those who hear the page, plain text.
    """
    parts = [said(draft.text)] if draft.text else []
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
    copy = COPY if draft.done and draft.text else ""
    hint = f' aria-label="{escaped_line(label)}"' if label else ""
    return (
        f'<div class="tb-answer tb-copied" role="group"{state}{hint}>'
        f'<div class="tb-head"><span class="tb-who">{title}</span>{copy}</div>{"".join(parts)}</div>'
    )


def _exchange(exchange: Exchange) -> str:
    question = f'<div class="tb-question">{said(exchange.question)}</div>'
    if exchange.before is None or exchange.base is None:
        return f'<div class="tb-exchange">{question}{_answer(exchange.answer, exchange.model, "")}</div>'
    both = _answer(exchange.before, exchange.base, "before") + _answer(exchange.answer, exchange.model, "after")
    return f'<div class="tb-exchange">{question}<div class="tb-sides">{both}</div></div>'


def _answer(draft: Draft, model: ServedModel, when: str) -> str:
    mark = f'<span class="tb-tag{" tb-accent" if when == "after" else ""}">{when}</span> ' if when else ""
    return answer_card(draft, mark + escaped_line(model.title), f"Answer {when}".strip())
