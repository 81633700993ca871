"""What a journey says while it works: sentences and progress, on stderr, or nowhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

# A step that is done sooner than this needs no progress bar.
_PATIENCE = 2.0


@dataclass(frozen=True)
class Talk:
    """Where talk goes.

    Attributes:
        console: usually on stderr; a quiet one says nothing.
        pulse: called whenever work goes on; it may raise, to end the work.
    """

    console: Console = field(default_factory=lambda: Console(stderr=True, quiet=True))
    pulse: Callable[[], None] = lambda: None

    def say(self, sentence: str) -> None:
        """One line."""
        self.console.print(escape(sentence), highlight=False, soft_wrap=True)

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar with the time left, shown once the work has taken two seconds and stderr is a terminal.

        Yields:
            A function to be called with how much is done.
        """
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=self.console.quiet or not self.console.is_terminal,
        )
        task = bar.add_task(title, total=total)
        began = time.perf_counter()
        shown = False

        def update(done: int) -> None:
            nonlocal shown
            self.pulse()
            bar.update(task, completed=done)
            if not shown and time.perf_counter() - began > _PATIENCE:
                bar.start()
                shown = True

        try:
            yield update
        finally:
            bar.stop()

    @contextmanager
    def share(self, title: str) -> Iterator[Callable[[float], None]]:
        """As `progress`, for work that knows only which share of it is done, from 0 to 1."""
        with self.progress(title, 100) as update:
            yield lambda done: update(round(100 * done))
