"""What a search shows while it goes on: a live table in a terminal, and elsewhere a line for each trial that ends.

Knows how a trial is written as a row; what comes of them all is known to `results`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tiebreak.formatting.numbers import DASH, duration
from tiebreak.recipe.space import value_text
from tiebreak.sweep.plan import Plan, settings_text
from tiebreak.sweep.ranking import best_of
from tiebreak.sweep.study import Trial
from tiebreak.workflow.callback import Event
from tiebreak.workflow.progress import Progress

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

_ROWS = 24
_OFTEN = 0.5  # seconds
_STYLES = {"finished": "", "pruned": "dim", "failed": "red", "running": "bold", "waiting": "dim"}


class Board:
    """Shows a search.

    Args:
        plan: of the search.
        progress: where it is shown.
    """

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self.plan, self.progress = plan, progress
        self._live: Live | None = None
        self._trials: tuple[Trial, ...] = ()
        self._running: dict[int, Event] = {}
        self._took: list[float] = []
        self._began, self._of_trial, self._shown = time.perf_counter(), time.perf_counter(), 0.0

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Within the block the table is there."""
        console = self.progress.console
        if console.quiet or not console.is_terminal:
            yield
            return
        from rich.live import Live

        with Live(console=console, auto_refresh=False) as self._live:
            try:
                yield
            finally:
                self._refresh()
                self._live = None

    def begun(self, trials: Sequence[Trial], number: int) -> None:
        """A trial is taken.

        Args:
            trials: as they stand.
            number: of the one that is taken.
        """
        self._trials, self._of_trial = tuple(trials), time.perf_counter()
        if self._live is None:
            settings = next(trial.settings for trial in trials if trial.number == number)
            self.progress.say(f"trial {number}  {settings_text(settings)}")
        self._refresh()

    def stepped(self, number: int, event: Event) -> None:
        """A run of a trial has made a step or was evaluated."""
        self._running[number] = event
        if self._live is not None and time.perf_counter() - self._shown > _OFTEN:
            self._refresh()

    def ended(self, trials: Sequence[Trial], number: int) -> None:
        """A trial has ended."""
        self._trials = tuple(trials)
        self._took.append(time.perf_counter() - self._of_trial)
        self._running.pop(number, None)
        if self._live is None:
            trial = next(each for each in trials if each.number == number)
            left = self.left()
            said = f", {duration(left)} left" if left else ""
            self.progress.say(f"trial {number}  {self._outcome(trial)}  ({self._ended} of {self.plan.limit}{said})")
        self._refresh()

    @property
    def _ended(self) -> int:
        return sum(trial.state not in ("waiting", "running") for trial in self._trials)

    def left(self) -> float | None:
        """Seconds that the rest will take this worker and those beside it; None where nothing is known yet."""
        if not self._took:
            return None
        trials = (self.plan.limit - self._ended) * sum(self._took) / len(self._took)
        hours = self.plan.section.hours
        return trials if hours is None else min(trials, max(0.0, 3600 * hours - (time.perf_counter() - self._began)))

    def table(self) -> Table:
        """The trials as a table: the best first, then those at work, and the others as there is room."""
        from rich.table import Table
        from rich.text import Text

        best = best_of(self._trials, self.plan.goals)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for heading in ("trial", *self.plan.space, *(goal.name for goal in self.plan.goals), "state"):
            table.add_column(Text(heading), overflow="fold")
        rank = {"running": 0, "finished": 1, "pruned": 2, "failed": 2, "waiting": 3}
        order = sorted(self._trials, key=lambda trial: (trial not in best, rank[trial.state], -trial.number))
        for trial in order[:_ROWS]:
            values = [value_text(trial.settings[key]) if key in trial.settings else DASH for key in self.plan.space]
            cells = [
                f"{trial.number}{'*' if trial in best else ''}",
                *values,
                *self._figures(trial),
                self._state(trial),
            ]
            table.add_row(*(Text(cell) for cell in cells), style=_STYLES[trial.state])
        left = self.left()
        said = f"{self._ended} of {self.plan.limit} trials have ended; * is best" + (
            f"; {duration(left)} left" if left else ""
        )
        table.caption, table.caption_justify = said, "left"
        return table

    def _figures(self, trial: Trial) -> list[str]:
        event = self._running.get(trial.number)
        if trial.values is not None:
            return [goal.written(value) for goal, value in zip(self.plan.goals, trial.values, strict=True)]
        seen = [event.metrics.get(goal.name) if event is not None else None for goal in self.plan.goals]
        if seen[0] is None and trial.reported:
            seen[0] = list(trial.reported.values())[-1]
        return [
            DASH if value is None else goal.written(value) for goal, value in zip(self.plan.goals, seen, strict=True)
        ]

    def _state(self, trial: Trial) -> str:
        event = self._running.get(trial.number)
        if trial.state == "running" and event is not None:
            return f"step {event.step:,}/{event.steps:,}"
        return f"{trial.state}: {trial.reason}" if trial.reason else trial.state

    def _outcome(self, trial: Trial) -> str:
        figures = "  ".join(
            f"{goal.name} {text}" for goal, text in zip(self.plan.goals, self._figures(trial), strict=True)
        )
        return f"{trial.state}: {trial.reason}" if trial.reason else f"{trial.state}  {figures}"

    def _refresh(self) -> None:
        if self._live is not None:
            self._shown = time.perf_counter()
            self._live.update(self.table(), refresh=True)
