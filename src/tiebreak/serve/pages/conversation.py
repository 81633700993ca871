"""Conversations as the browser keeps them: to its store after each answer, and back when a page is opened again.

The server keeps none. What comes back may be anything, so it is read with bounds and refused where it is no
conversation of ours.
"""

from __future__ import annotations

import html
import json
import secrets
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from tiebreak.errors import InputError
from tiebreak.generation.detokenize import FinishReason
from tiebreak.serve.generation.engine import ServedModel
from tiebreak.serve.pages.context import Exchange
from tiebreak.serve.pages.streaming import Draft

_ANSWER = 200_000  # characters of the longest answer that is taken back
_Name = Annotated[str, StringConstraints(max_length=500)]
_Text = Annotated[str, StringConstraints(max_length=_ANSWER)]


class KeptAnswer(BaseModel):
    """An answer, and who gave it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: _Name
    title: _Name
    text: _Text
    finish: FinishReason | None = None
    error: _Name | None = None


class KeptExchange(BaseModel):
    """A question with its answer, and the answer of the base where it answered too."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    question: _Text
    answer: KeptAnswer
    before: KeptAnswer | None = None


class KeptConversation(BaseModel):
    """A conversation.

    Attributes:
        id: that the browser keeps it under.
        system: the system prompt that it was last continued with.
        exchanges: in their order.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,40}$")]
    system: _Text = ""
    exchanges: Annotated[tuple[KeptExchange, ...], Field(max_length=1000)]


def new_id() -> str:
    """A name for a new conversation."""
    return secrets.token_urlsafe(12)


def kept_html(id: str, system: str, exchanges: Sequence[Exchange]) -> str:
    """A conversation on its way to the browser's store, as HTML that nobody sees.

    Args:
        id: of the conversation.
        system: the system prompt.
        exchanges: so far.
    """
    conversation = KeptConversation(id=id, system=system, exchanges=tuple(map(_kept, exchanges)))
    text = json.dumps(conversation.model_dump(exclude_none=True))
    return f'<div data-kept="{html.escape(text, quote=True)}"></div>'


def restored(kept: object, models: Sequence[ServedModel], *, turns: int, chars: int) -> tuple[str, str, list[Exchange]]:
    """A conversation that the browser kept.

    Args:
        kept: what it sent: JSON as text.
        models: that are served.
        turns: most exchanges.
        chars: of the longest question and of the longest system prompt.
    Returns:
        Its id, its system prompt and its exchanges. A model that is no longer served keeps its name.
    Raises:
        InputError: it is no conversation, or too long.
    """
    try:
        found = KeptConversation.model_validate_json(kept if isinstance(kept, str) else "")
    except ValidationError:
        raise InputError("This conversation cannot be read: it was not kept whole.") from None
    if (
        len(found.exchanges) > turns
        or max(map(len, [found.system, *(one.question for one in found.exchanges)])) > chars
    ):
        raise InputError("This conversation is too long to go on with here.")
    served = {model.name: model for model in models}
    return found.id, _whole(found.system), [_restored(one, served) for one in found.exchanges]


def _kept(exchange: Exchange) -> KeptExchange:
    before = exchange.before
    return KeptExchange(
        question=exchange.question,
        answer=_kept_answer(exchange.model, exchange.answer),
        before=_kept_answer(exchange.base, before) if exchange.base is not None and before is not None else None,
    )


def _kept_answer(model: ServedModel, draft: Draft) -> KeptAnswer:
    error = None if draft.error is None else draft.error[:500]
    return KeptAnswer(
        model=model.name[:500], title=model.title[:500], text=draft.text[:_ANSWER], finish=draft.finish, error=error
    )


def _restored(kept: KeptExchange, served: dict[str, ServedModel]) -> Exchange:
    model, answer = _restored_answer(kept.answer, served)
    if kept.before is None:
        return Exchange(_whole(kept.question), model, answer)
    base, before = _restored_answer(kept.before, served)
    return Exchange(_whole(kept.question), model, answer, base, before)


def _restored_answer(kept: KeptAnswer, served: dict[str, ServedModel]) -> tuple[ServedModel, Draft]:
    model = served.get(kept.model) or ServedModel(kept.model, kept.title, "")
    return model, Draft(_whole(kept.text), done=True, finish=kept.finish, error=kept.error)


def _whole(text: str) -> str:
    """A text that can be written as UTF-8: half of a surrogate pair becomes a sign."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
