"""The loop folder: turns of train, compare, accept; which model is the accepted one; how to go back.

Knows the file `loop.json` and what its entries mean. What is written is whole or not there.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from tiebreak.errors import InputError
from tiebreak.files import write_json

STATE = "loop.json"
RUN_OF_TURN = "run"  # what the run is called in the folder of a turn
Outcome = Literal["accepted", "rejected"]


@dataclass(frozen=True)
class Turn:
    """One turn of the circle.

    Attributes:
        number: counts from 1.
        outcome: whether its model took the place of the one before.
        why: one sentence with the figures.
        model: its model, a run folder; a path relative to the loop folder.
        against: the model that it was trained from and compared with.
        began_from: number of the turn that made that model, 0 for the one that the loop began with.
        votes: votes that there were, withdrawn ones aside.
        pairs: training pairs that they gave.
        base: training pairs from elsewhere.
        measure: the figure that decided, `win_rate` or `accuracy`.
        value, low, high: that figure with its 95% interval.
        pass_rate: the judge's pass rate, where there is a judge.
        time: when it ended, in UTC.
    """

    number: int
    outcome: Outcome
    why: str
    model: str
    against: str
    began_from: int
    votes: int
    pairs: int
    base: int
    measure: str
    value: float
    low: float
    high: float
    pass_rate: float | None
    time: str


class LoopFolder:
    """A loop on the disk.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def state_path(self) -> Path:
        """Where the turns are written."""
        return self.path / STATE

    @property
    def exists(self) -> bool:
        """Whether there is a loop."""
        return self.state_path.is_file()

    def state(self) -> dict[str, Any]:
        """What is written.

        Raises:
            InputError: this is no loop, or its file is damaged.
        """
        try:
            found: dict[str, Any] = json.loads(self.state_path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(
                f"'{self.path}' is not a loop: it has no {STATE}.", fix="see `tiebreak loop --help`"
            ) from None
        except ValueError as error:
            raise InputError(f"The loop's file is damaged: {error}.", where=str(self.state_path)) from None
        return found

    def begin(self, start: str) -> None:
        """Make a loop.

        Args:
            start: the model that it begins with.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(self.state_path, {"start": start, "current": 0, "turns": []})

    def turns(self) -> list[Turn]:
        """All turns, oldest first."""
        return [Turn(**entry) for entry in self.state()["turns"]]

    def current(self) -> str:
        """The accepted model: a run folder, or what the loop began with."""
        state = self.state()
        return self._model_of(state, int(state["current"]))

    def add(self, turn: Turn) -> None:
        """Write a turn; if it was accepted, its model is the current one from now on."""
        state = self.state()
        current = turn.number if turn.outcome == "accepted" else state["current"]
        write_json(self.state_path, {**state, "current": current, "turns": [*state["turns"], asdict(turn)]})

    def roll_back(self) -> str:
        """Make the model current that the current one was trained from.

        Returns:
            That model.
        Raises:
            InputError: the current model is the one that the loop began with.
        """
        state = self.state()
        if not state["current"]:
            raise InputError(
                "There is nothing to roll back to: the current model is the one that the loop began with.",
                where=str(self.state_path),
            )
        earlier = int(self._turn(state, int(state["current"]))["began_from"])
        write_json(self.state_path, {**state, "current": earlier})
        return self._model_of(state, earlier)

    def _model_of(self, state: dict[str, Any], number: int) -> str:
        return str(self.path / self._turn(state, number)["model"]) if number else str(state["start"])

    def _turn(self, state: dict[str, Any], number: int) -> dict[str, Any]:
        found: dict[str, Any] = next(turn for turn in state["turns"] if turn["number"] == number)
        return found

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the loop for this process.

        Raises:
            InputError: another process holds it.
        """
        with (self.path / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise InputError(f"Another process is at work in the loop '{self.path}'.", fix="wait for it") from None
            yield
