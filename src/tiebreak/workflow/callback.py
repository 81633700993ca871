"""Callbacks: what a user's own code is told while a run goes on, and what happens where that code fails.

A callback only watches. It gets copies, and random states and threads are put back after it, so that it cannot change
what is computed. An exception in it ends the run as a signal does: after a checkpoint, from which it can go on.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tiebreak.errors import InputError, Interrupted, RunError, TiebreakError
from tiebreak.metrics import LOSS
from tiebreak.process.host import same_numbers


@dataclass(frozen=True)
class Event:
    """How far a run is.

    Attributes:
        run: the run folder.
        step, steps: optimizer steps done, and steps in all.
        epoch: passes over the data so far.
        metrics: what was measured, by the names in metrics.jsonl: of `on_step` the training metrics, where the step is
            logged (`train.log_every`), else none; of `on_evaluation` the held-out ones; of `on_save` none.
        checkpoint: of `on_save`, the folder of the new checkpoint.
    """

    run: Path
    step: int
    steps: int
    epoch: float
    metrics: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    checkpoint: Path | None = None


class Callback:
    """Watches a run. Subclass it, and write the methods that you need; the others do nothing.

    To end the run, raise `tiebreak.Interrupted`. It, and any other exception, ends the run after a checkpoint is
    saved, and `tiebreak.resume` goes on from there.
    """

    def on_step(self, event: Event) -> None:
        """Called after each optimizer step, once its metrics are known.

        Args:
            event: how far the run is.
        """

    def on_evaluation(self, event: Event) -> None:
        """Called after each evaluation on held-out data while training goes on.

        Args:
            event: how far the run is.
        """

    def on_save(self, event: Event) -> None:
        """Called when a checkpoint is whole on the disk.

        Args:
            event: how far the run is.
        """


_METHODS = ("on_step", "on_evaluation", "on_save")


def check_callbacks(callbacks: Iterable[object]) -> None:
    """See that what a user gave can be called back.

    Args:
        callbacks: what was given.
    Raises:
        InputError: one is no callback, or has a method that nothing would call.
    """
    if isinstance(callbacks, Callback):
        raise InputError("A single callback was given.", where="callbacks", fix="put it into a list")
    for callback in callbacks:
        name = getattr(callback, "__name__", type(callback).__name__)
        if not isinstance(callback, Callback):
            made = "make an object of it: " if isinstance(callback, type) and issubclass(callback, Callback) else ""
            fix = f"{made}{name}()" if made else "write a subclass of tiebreak.Callback with on_step or another method"
            raise InputError(f"'{name}' is not a tiebreak.Callback.", where="callbacks", fix=fix)
        for method in dir(callback):
            if method.startswith("on_") and method not in _METHODS:
                near = difflib.get_close_matches(method, _METHODS, n=1)
                raise InputError(
                    f"Nothing calls the method '{method}' of the callback '{name}'.",
                    where="callbacks",
                    fix=f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(_METHODS)}",
                )


class Watching(TrainerCallback):
    """Calls a user's callbacks at the right moments. It has to be the last of the Trainer's callbacks.

    Args:
        callbacks: the user's.
        run: the run folder.

    Attributes:
        failed: what was raised, where and at which step; None as long as nothing was. Nobody is called after it.
    """

    def __init__(self, callbacks: Sequence[Callback], run: Path) -> None:
        self.callbacks = tuple(callbacks)
        self.run = run
        self.failed: tuple[Exception, str, int] | None = None
        self._told = -1  # the newest step that was told

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """A step that is not logged is told at once; one that is, with its metrics."""
        if not control.should_log:
            self._step(state, control)
        return control

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **event: Any
    ) -> TrainerControl:
        """The metrics of a step are known."""
        if LOSS.name in event["logs"]:
            self._step(state, control, metrics=event["logs"])
        return control

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **event: Any
    ) -> TrainerControl:
        """Held-out metrics are known."""
        self._call("on_evaluation", state, control, metrics=event.get("metrics") or {})
        return control

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """A checkpoint is whole."""
        checkpoint = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        self._call("on_save", state, control, checkpoint=checkpoint)
        return control

    def _step(self, state: TrainerState, control: TrainerControl, *, metrics: Mapping[str, Any] | None = None) -> None:
        if state.global_step > self._told:
            self._told = state.global_step
            self._call("on_step", state, control, metrics=metrics)

    def _call(
        self,
        method: str,
        state: TrainerState,
        control: TrainerControl,
        *,
        metrics: Mapping[str, Any] | None = None,
        checkpoint: Path | None = None,
    ) -> None:
        known = {name: float(value) for name, value in (metrics or {}).items() if isinstance(value, int | float)}
        event = Event(
            run=self.run,
            step=state.global_step,
            steps=state.max_steps,
            epoch=float(state.epoch or 0.0),
            metrics=MappingProxyType(known),
            checkpoint=checkpoint,
        )
        for callback in self.callbacks:
            if self.failed is not None:
                return
            call: Callable[[Event], None] = getattr(callback, method)
            try:
                with same_numbers():
                    call(event)
            except Exception as error:  # noqa: BLE001 - whatever it is, the run is saved first, and it is raised then
                self.failed = (error, f"{type(callback).__name__}.{method}", state.global_step)
                control.should_training_stop = True
                if method != "on_save":
                    control.should_save = control.should_log = True

    def raise_failure(self, steps: int) -> None:
        """Raise what a callback raised, now that the run is saved.

        Args:
            steps: of the run.
        Raises:
            Interrupted: a callback asked the run to end.
            RunError: a callback failed.
        """
        if self.failed is None:
            return
        error, where, step = self.failed
        fix = f"go on with: tiebreak train --out {self.run} --resume, or tiebreak.resume in Python"
        if isinstance(error, Interrupted):
            said = f"{error.what} " if error.what else ""
            raise Interrupted(f"{said}Stopped by {where} at step {step} of {steps}; it is saved.", fix=fix) from error
        what = error.what if isinstance(error, TiebreakError) else f"{type(error).__name__}: {error}"
        raise RunError(
            f"A callback failed at step {step} of {steps}; up to there the run is saved. {what}",
            where=where,
            fix=f"mend the callback, then {fix}",
        ) from error
