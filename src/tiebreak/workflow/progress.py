"""What a run says while it works: sentences and progress bars, on stderr, or nowhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from tiebreak.formatting.numbers import duration, plain

# Seconds: what is done sooner needs no progress bar, and after how long there is a line in any case.
_PATIENCE = 2.0
_SILENCE = 20.0


def line_of(title: str, done: int, total: int, seconds: float) -> str:
    """How far some work is, for where there is no bar.

    Args:
        title: of the work.
        done, total: how much of it.
        seconds: since it began.
    """
    speed = done / seconds
    left = f", {duration((total - done) / speed)} left" if done < total and speed else ""
    return f"        {title} {done:,}/{total:,}, {plain(speed)} a second{left}"


@dataclass(frozen=True)
class Progress:
    """Where progress is shown.

    Attributes:
        console: usually on stderr; a quiet one says nothing.
        pulse: called whenever work goes on; it may raise, to end the work.
    """

    console: Console = field(default_factory=lambda: Console(stderr=True, quiet=True))
    pulse: Callable[[], None] = lambda: None

    def say(self, sentence: str) -> None:
        """One line."""
        self.console.print(sentence, markup=False, highlight=False, soft_wrap=True)

    def say_all(self, sentences: Iterable[str]) -> None:
        """A line each."""
        for sentence in sentences:
            self.say(sentence)

    @contextmanager
    def bar(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar with the time left, once the work has taken two seconds; a line a tenth where there is no terminal.

        Yields:
            A function to be called with how much is done.
        """
        bar = RichProgress(
            TextColumn("{task.description}", markup=False),  # it may be the name of a file
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
        shown, due = False, 0

        def update(done: int) -> None:
            nonlocal shown, due
            self.pulse()
            bar.update(task, completed=done)
            seconds = time.perf_counter() - began
            if seconds <= _PATIENCE:
                due = max(due, 10 * done // max(1, total) + 1)  # tenths that went by unseen need no line
                return
            if bar.disable:
                if 10 * done >= due * total or (seconds > _SILENCE and not shown):
                    due, shown = 10 * done // max(1, total) + 1, True
                    self.say(line_of(title, done, total, seconds))
            elif not shown:
                bar.start()
                shown = True

        try:
            yield update
        finally:
            bar.stop()

    @contextmanager
    def share(self, title: str) -> Iterator[Callable[[float], None]]:
        """As `bar`, for work that knows only which share of it is done, from 0 to 1."""
        with self.bar(title, 100) as update:
            yield lambda done: update(round(100 * done))


def progress_of(progress: Progress | bool | None) -> Progress:
    """Where progress is shown, from what a caller says of it.

    Args:
        progress: True shows it on stderr, as plain lines where that is no terminal; False and None show none.
    """
    if isinstance(progress, Progress):
        return progress
    # A notebook gets plain lines: bars would need widgets that may not be there.
    return Progress(Console(stderr=True, force_jupyter=False)) if progress else Progress()
