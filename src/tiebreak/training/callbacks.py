"""What watches a run: the metrics file, the progress line, and the signal that asks it to stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tiebreak.formatting.numbers import DASH, duration, plain, whole, wilson, with_interval
from tiebreak.metrics import ACCURACY, HELD_OUT, LOSS, Metric, shown_in, written
from tiebreak.training.pace import Pace, Speed

Bar = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Shows some work: takes its title and how much it is, and gives what is called with how much is done."""
_LEFT = "left"


class MetricsFile(TrainerCallback):
    """Appends every log to metrics.jsonl.

    Args:
        append: adds one line.

    Attributes:
        spent: seconds of training in earlier sessions of the run.
    """

    def __init__(self, append: Callable[[dict[str, Any]], None]) -> None:
        self.append = append
        self.spent = 0.0
        self.began = time.perf_counter()

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Seconds are those of training."""
        self.began = time.perf_counter()

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **event: Any) -> None:
        """Write one line."""
        if state.is_world_process_zero and "train_runtime" not in event["logs"]:  # that covers this session only
            row = {name: value for name, value in event["logs"].items() if name != "total_flos"}
            seconds = self.spent + time.perf_counter() - self.began
            self.append({"step": state.global_step, **row, "seconds": round(seconds, 3)})


class LogBeforeSaving(TrainerCallback):
    """Makes every checkpoint a logged step, so that the means between two logs never span a resume."""

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Ask for a log where a save was asked for, or may follow an evaluation."""
        control.should_log = control.should_log or control.should_save or control.should_evaluate
        return control

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Ask for a log where a save was asked for, or may follow an evaluation."""
        return self.on_step_end(args, state, control)


class StopRequest:
    """Whether somebody asked the run to stop: SIGINT and SIGTERM set it; a second SIGINT stops at once."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def check(self) -> None:
        """End the work at once where it is not made of steps.

        Raises:
            KeyboardInterrupt: somebody asked for it.
        """
        if self.signal is not None:
            raise KeyboardInterrupt

    @contextmanager
    def listening(self, say: Callable[[str], None]) -> Iterator[None]:
        """Within the block, the two signals only set the request."""
        if threading.current_thread() is not threading.main_thread():
            yield  # signals reach the main thread only
            return

        def note(number: int, _: FrameType | None) -> None:
            if self.signal is not None:
                raise KeyboardInterrupt
            self.signal = number
            say("Stopping as soon as what is being done is saved. Press Ctrl-C again to stop at once.")

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class StopOnRequest(TrainerCallback):
    """Saves and ends the run at the next step after a stop was asked for."""

    def __init__(self, request: StopRequest) -> None:
        self.request = request

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Ask for a save and for the end."""
        if self.request.signal is not None:
            control.should_save = control.should_training_stop = True
        return control


class ProgressLine(TrainerCallback):
    """One line on stderr with the newest metrics, speed and time left; a plain line a log where stderr is no terminal.

    Args:
        console: where it is shown.
        header: what is said of the lines before the first.
        held_out: examples that are held out, for the intervals of shares.
        examples: what examples are called, in the plural.
        bar: shows an evaluation that is no part of training: takes a title and a total.

    Attributes:
        tokens: gives the tokens that the newest step computed.
    """

    def __init__(
        self,
        console: Console,
        *,
        header: str = "",
        held_out: int = 0,
        examples: str = "examples",
        bar: Bar | None = None,
    ) -> None:
        self.console = console
        self.header = header
        self.held_out = held_out
        self.examples = examples
        self.bar = bar
        self.tokens: Callable[[], int] = lambda: 0
        self.progress: Progress | None = None
        self.pace = Pace()
        self.shown: dict[str, str] = {}

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Say what the lines are, and show the bar."""
        self.pace.begin(state.global_step, state.max_steps)
        if self.header:
            self.console.print(self.header, markup=False, highlight=False, soft_wrap=True)
        if self.console.is_terminal:
            self.progress = Progress(
                TextColumn("{task.fields[what]} {task.completed}/{task.total}"),
                BarColumn(bar_width=20),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=self.console,
                transient=True,
            )
            self.task = self.progress.add_task("", total=state.max_steps, completed=state.global_step, what="step")
            self.progress.start()

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Start the clock of a step."""
        self.pace.begin_step()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **event: Any) -> None:
        """Move the bar."""
        drawn = _examples_of_step(args, state, event.get("train_dataloader"))
        self.pace.end_step(state.global_step, drawn, self.tokens())
        if self.progress is not None:
            self.progress.update(self.task, completed=state.global_step)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **event: Any) -> None:
        """Show the newest metrics."""
        logs = event["logs"]
        found = {
            **{shown.label: written(metric, logs) for metric, shown in shown_in("progress") if metric.name in logs},
            **{
                shown.label: self._held_out(metric, logs)
                for metric, shown in shown_in("held-out progress")
                if metric.recorded in logs
            },
        }
        if LOSS.name in logs and (speed := self.pace.take()) is not None:
            found |= self._speed(speed)
        self.shown |= found
        if self.progress is not None:
            told = "  ".join(_told(label, text) for label, text in self.shown.items() if label != _LEFT)
            self.progress.update(self.task, description=told)
        elif found:
            told = "  ".join(_told(label, text) for label, text in found.items())
            self.console.print(f"step {state.global_step}/{state.max_steps}  {told}", highlight=False, soft_wrap=True)

    def _held_out(self, metric: Metric, logs: Mapping[str, Any]) -> str:
        """A held-out metric, and of a share what else it may be."""
        text, value = written(metric, logs, HELD_OUT), logs[metric.recorded]
        if metric is not ACCURACY or text == DASH or not self.held_out or not 0 <= value <= 1:
            return text
        return with_interval(value, wilson(value, self.held_out))

    def _speed(self, speed: Speed) -> dict[str, str]:
        return {
            f"{self.examples}/s": plain(speed.examples),
            "tokens/s": whole(speed.tokens),
            "memory": f"{speed.memory / 1e9:.1f} GB",
            _LEFT: duration(speed.left),
        }

    @contextmanager
    def evaluating(self, total: int) -> Iterator[Callable[[int], None]]:
        """Show an evaluation: in the bar of the training, or by one of its own.

        Args:
            total: examples that are measured.
        Yields:
            A function to be called with how many are done.
        """
        progress = self.progress
        if progress is not None:
            task = progress.add_task("", total=total, what="held-out")
            try:
                yield lambda done: progress.update(task, completed=done)
            finally:
                progress.remove_task(task)
        elif self.bar is not None:
            with self.bar("held-out", total) as update:
                yield update
        else:
            yield lambda _: None

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Take the bar away."""
        self.close()

    def close(self) -> None:
        """Take the bar away, however the run ended."""
        if self.progress is not None:
            self.progress.stop()
            self.progress = None


def _told(label: str, text: str) -> str:
    """A value with its name, the way round that is read."""
    return f"{text} {label}" if label.endswith("/s") or label == _LEFT else f"{label} {text}"


def _examples_of_step(args: TrainingArguments, state: TrainerState, drawn_by: Any) -> int:
    """Examples of the newest step; the last of an epoch may have fewer."""
    each = args.per_device_train_batch_size
    if drawn_by is None or state.global_step % len(drawn_by):
        return each
    return len(drawn_by.dataset) - each * (len(drawn_by) - 1)
