"""The loop folder: turns of train, compare, accept; which model is the accepted one; how to go back.

Knows the file `loop.json` and what a turn leaves behind. What is written is whole or not there.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import model_validator

from tiebreak.errors import InputError
from tiebreak.runs.record import Record, parse_record, read_json, write_record

VERSION = 3
STATE = "loop.json"
RUN_OF_TURN = "run"  # what the run is called in the folder of a turn
COUNTS = "counts.json"  # what a turn is made of, in its folder
Outcome = Literal["accepted", "rejected"]
Measure = Literal["win_rate", "accuracy_difference", "accuracy"]


class TurnCounts(Record):
    """What a turn is made of.

    Attributes:
        votes: votes that there were, withdrawn ones aside.
        pairs: training pairs that they gave.
        base: training pairs from elsewhere.
        vote_ids: of those votes; None in turns of before version 3.
    """

    votes: int
    pairs: int
    base: int
    vote_ids: tuple[str, ...] | None = None


class Turn(Record):
    """One turn of the loop.

    Attributes:
        number: counts from 1.
        outcome: whether its model took the place of the one before.
        why: one sentence with the metric.
        model: its model, a run folder; a path relative to the loop folder.
        against: the model that it was trained from and compared with.
        began_from: number of the turn that made that model, 0 for the one that the loop began with.
        votes, pairs, base: as for `TurnCounts`.
        measure: what decided: `win_rate`; `accuracy_difference`, of the new model less the accepted one; `accuracy` in
            turns of before version 3.
        value, low, high: of that, with its 95% interval.
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
    measure: Measure
    value: float
    low: float
    high: float
    pass_rate: float | None
    time: str


class LoopState(Record):
    """All that is written of a loop.

    Attributes:
        version: of this form.
        start: the model that the loop began with.
        current: number of the turn whose model is the accepted one, 0 for the one that the loop began with.
        turns: oldest first.
    """

    version: int = VERSION
    start: str
    current: int = 0
    turns: tuple[Turn, ...] = ()

    @model_validator(mode="after")
    def _every_turn_is_there(self) -> Self:
        numbers = {0, *(turn.number for turn in self.turns)}
        for number in (self.current, *(turn.began_from for turn in self.turns)):
            if number not in numbers:
                raise ValueError(f"there is no turn {number}")
        return self

    def turn(self, number: int) -> Turn:
        """A turn by its number, which is one of the numbers in this state and not 0."""
        return next(turn for turn in self.turns if turn.number == number)


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

    def state(self) -> LoopState:
        """What is written.

        Raises:
            InputError: this is no loop, its file is damaged, or a later version of Tiebreak wrote it.
        """
        what, where = "loop's file", str(self.state_path)
        try:
            recorded = read_json(self.state_path, what=what)
        except FileNotFoundError:
            raise InputError(
                f"'{self.path}' is not a loop: it has no {STATE}.", fix="see `tiebreak loop --help`"
            ) from None
        return parse_record(
            LoopState, recorded, what=what, where=where, version=VERSION, upgrades=(_same_names, _same_names)
        )

    def begin(self, start: str) -> None:
        """Make a loop.

        Args:
            start: the model that it begins with.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        write_record(self.state_path, LoopState(start=start))

    def turns(self) -> tuple[Turn, ...]:
        """All turns, oldest first."""
        return self.state().turns

    def current(self) -> str:
        """The accepted model: a run folder, or what the loop began with."""
        return self._model_of(self.state())

    def add(self, turn: Turn) -> None:
        """Write a turn; if it was accepted, its model is the current one from now on."""
        state = self.state()
        current = turn.number if turn.outcome == "accepted" else state.current
        write_record(self.state_path, state.replace(current=current, turns=(*state.turns, turn)))

    def roll_back(self) -> str:
        """Make the model current that the current one was trained from.

        Returns:
            That model.
        Raises:
            InputError: the current model is the one that the loop began with.
        """
        state = self.state()
        if not state.current:
            raise InputError(
                "There is nothing to roll back to: the current model is the one that the loop began with.",
                where=str(self.state_path),
            )
        earlier = state.replace(current=state.turn(state.current).began_from)
        write_record(self.state_path, earlier)
        return self._model_of(earlier)

    def _model_of(self, state: LoopState) -> str:
        return str(self.path / state.turn(state.current).model) if state.current else state.start

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


def counts_of(turn: Path) -> TurnCounts | None:
    """What a turn counted before its training began; None where it did not get that far.

    Args:
        turn: its folder.
    Raises:
        InputError: the file is damaged.
    """
    path = turn / COUNTS
    try:
        recorded = read_json(path, what="turn's file")
    except FileNotFoundError:
        return None
    return parse_record(TurnCounts, recorded, what="turn's file", where=str(path))


def keep_counts(turn: Path, counts: TurnCounts) -> None:
    """Write what a turn is made of, once its data are written."""
    write_record(turn / COUNTS, counts)


def _same_names(recorded: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first form had no version; the second one measure less, and was judged by accuracies."""
    return {**recorded, "version": VERSION}
