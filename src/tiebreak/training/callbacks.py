"""What watches a run: the metrics file, the progress line, and the signal that asks it to stop."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class MetricsFile(TrainerCallback):
    """Appends every log to metrics.jsonl.

    Args:
        append: adds one line.
    """

    def __init__(self, append: Callable[[dict[str, Any]], None]) -> None:
        self.append = append
        self.began = time.perf_counter()

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **event: Any) -> None:
        """Write one line."""
        if state.is_world_process_zero and "train_runtime" not in event["logs"]:  # that covers this session only
            row = {name: value for name, value in event["logs"].items() if name != "total_flos"}
            self.append({"step": state.global_step, **row, "seconds": round(time.perf_counter() - self.began, 3)})


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
    """One line on stderr with the newest metrics and the time left; a plain line a log where stderr is no terminal.

    Args:
        console: where it is shown.
    """

    _SHOWN = (
        ("loss", "loss", "{:.4f}"),
        ("rewards/accuracies", "accuracy", "{:.0%}"),
        ("rewards/margins", "margin", "{:+.2f}"),
        ("eval_loss", "held-out loss", "{:.4f}"),
        ("eval_rewards/accuracies", "held-out accuracy", "{:.0%}"),
    )

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress: Progress | None = None
        self.newest: dict[str, float] = {}

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Show the bar."""
        if self.console.is_terminal:
            self.progress = Progress(
                TextColumn("step {task.completed}/{task.total}"),
                BarColumn(bar_width=20),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=self.console,
                transient=True,
            )
            self.task = self.progress.add_task("", total=state.max_steps, completed=state.global_step)
            self.progress.start()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Move the bar."""
        if self.progress is not None:
            self.progress.update(self.task, completed=state.global_step)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **event: Any) -> None:
        """Show the newest metrics."""
        logs = event["logs"]
        self.newest |= logs
        known = self.newest if self.progress is not None else logs
        shown = "  ".join(f"{word} {form.format(known[name])}" for name, word, form in self._SHOWN if name in known)
        if self.progress is not None:
            self.progress.update(self.task, description=shown)
        elif shown:
            self.console.print(f"step {state.global_step}/{state.max_steps}  {shown}", highlight=False, soft_wrap=True)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Take the bar away."""
        self.close()

    def close(self) -> None:
        """Take the bar away, however the run ended."""
        if self.progress is not None:
            self.progress.stop()
            self.progress = None


def stderr_console() -> Console:
    """The console that talk goes to."""
    return Console(stderr=True, file=sys.stderr)
