"""Following a loop: whatever model it accepts answers from then on, without a restart.

Looks at the loop's file now and then; loads beside what is being served, and exchanges the two once the new one is
ready. Of a model that cannot be loaded is spoken once, and the one before goes on answering.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tiebreak.errors import TiebreakError
from tiebreak.runs import RunFolder
from tiebreak.serve.generation.loading import Found, accepted
from tiebreak.serve.generation.local import LocalEngine

_SECONDS = 2.0


@contextmanager
def following(
    engine: LocalEngine, models: Sequence[Found], *, on_message: Callable[[str], None], every: float = _SECONDS
) -> Iterator[None]:
    """Within the block, the engine serves what its loops accept.

    Args:
        engine: that serves the models.
        models: what it was made of; those that are no loops stay as they are.
        on_message: called with a sentence about each exchange.
        every: seconds between two looks.
    """
    loops = [found for found in models if found.loop is not None]
    if not loops:
        yield
        return
    ended = threading.Event()
    watches = [_Watch(engine, found) for found in loops]
    thread = threading.Thread(
        target=_follow, args=(watches, on_message, every, ended), name="tiebreak-loop", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        ended.set()


def _follow(watches: Sequence[_Watch], on_message: Callable[[str], None], every: float, ended: threading.Event) -> None:
    while not ended.wait(every):
        for watch in watches:
            news = watch.look()
            if news:
                on_message(news)


class _Watch:
    """One loop: what is served of it, and what was tried last, so that nothing is tried or said twice."""

    def __init__(self, engine: LocalEngine, found: Found) -> None:
        self.engine, self.served, self.tried, self.problem = engine, found, found.section, ""

    def look(self) -> str:
        """Serve what is accepted now; the news in a sentence, empty where there is none."""
        now = self.served
        try:
            now = accepted(self.served)
            news = "" if now.section == self.tried else self._take_over(now)
        except Exception as error:  # noqa: BLE001  said, and the model before goes on answering
            what = "" if now is self.served else f"{_named(now)} was accepted and cannot be served, "
            problem = f"{now.name}: {what}{_named(self.served)} goes on: {_what(error)}"
            news, self.problem = "" if problem == self.problem else problem, problem
        return news

    def _take_over(self, now: Found) -> str:
        self.tried = now.section
        if now.section == self.served.section:
            return ""  # rolled back to what is being served
        self.engine.exchange(now)
        self.served, self.problem = now, ""
        return f"{now.name}: {_named(now)} answers from now on."


def _named(found: Found) -> str:
    return RunFolder(Path(found.run)).title if found.run else found.section.name


def _what(error: Exception) -> str:
    return str(error).splitlines()[0] if isinstance(error, TiebreakError) else f"{type(error).__name__}: {error}"
