"""Asks an engine for one answer or several at once, and gives them as they grow.

Knows nothing of pages: a draft is what has come so far, and whoever stops listening ends the work on it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from tiebreak.errors import TiebreakError
from tiebreak.generation.detokenize import FinishReason
from tiebreak.serve.generation.engine import Engine, GenerationRequest

_log = logging.getLogger(__name__)
_BREATH = 0.04  # seconds between two looks: pages need no more than 25 a second


@dataclass
class Draft:
    """An answer as far as it has come.

    Attributes:
        text: so far.
        done: whether nothing more will come.
        finish: why it ended; None while it grows, and where it was stopped.
        seed: of the draws, where it is known.
        error: why there is no whole answer, for people.
    """

    text: str = ""
    done: bool = False
    finish: FinishReason | None = None
    seed: int | None = None
    error: str | None = None

    @property
    def whole(self) -> bool:
        """Whether the answer came to an end of its own."""
        return self.done and self.finish is not None and self.error is None


async def stream_answers(
    engine: Engine, requests: Sequence[GenerationRequest], stop: asyncio.Event, seconds: float
) -> AsyncGenerator[list[Draft]]:
    """Ask for several answers at once.

    Args:
        engine: that answers.
        requests: one for each answer.
        stop: when set, the work ends and what has come stays.
        seconds: longest time, waiting included.
    Returns:
        The same drafts again and again, whenever there is more; the last time all of them are done.
    """
    drafts = [Draft(seed=request.seed) for request in requests]
    changed = asyncio.Event()
    tasks = [
        asyncio.create_task(_fill(engine, request, draft, changed, seconds))
        for request, draft in zip(requests, drafts, strict=True)
    ]
    stopped = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set() and not all(draft.done for draft in drafts):
            more = asyncio.create_task(changed.wait())
            try:
                await asyncio.wait({more, stopped}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                more.cancel()
            changed.clear()
            if not stop.is_set() and not all(draft.done for draft in drafts):
                yield drafts
                await asyncio.sleep(_BREATH)
    finally:
        for task in (*tasks, stopped):
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for draft, how in zip(drafts, ended, strict=True):
        draft.done = True
        if isinstance(how, Exception):
            # Whatever an engine dies of ends the waiting; the page says so, and the log has the rest.
            _log.error("A model could not answer.", exc_info=how)
            draft.error = "The model could not answer; the server's log says why."
    yield drafts


async def _fill(
    engine: Engine, request: GenerationRequest, draft: Draft, changed: asyncio.Event, seconds: float
) -> None:
    try:
        async with asyncio.timeout(seconds), aclosing(engine.generate(request)) as pieces:
            async for piece in pieces:
                draft.text += piece.text
                if piece.finish_reason is not None:
                    draft.finish = piece.finish_reason
                    draft.seed = piece.seed if piece.seed is not None else draft.seed
                changed.set()
    except TiebreakError as error:
        draft.error = error.sentences
    except TimeoutError:
        draft.error = f"The answer took longer than {seconds:g} s."
    finally:
        draft.done = True
        changed.set()
