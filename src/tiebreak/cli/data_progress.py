"""Progress with time left while a source is read, on stderr, for people only.

Shown once reading has taken a moment, and never where stderr is not a terminal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PATIENCE_SECONDS = 1.0


@contextmanager
def reading(what: str) -> Iterator[Callable[[float], None]]:
    """A function that is told the share read so far.

    Args:
        what: what is being read.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task(what, total=1.0)
    begun = time.monotonic()

    def told(share: float) -> None:
        if not bar.live.is_started and time.monotonic() - begun > _PATIENCE_SECONDS:
            bar.start()
        bar.update(task, completed=share)

    try:
        yield told
    finally:
        bar.stop()
