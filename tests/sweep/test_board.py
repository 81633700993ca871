"""What is shown of a search while it goes on: lines without a terminal, and a table in one."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.sweep.made import MadeUp, begun, searched
from tests.sweep.test_drive import RATES, by_rate
from tiebreak.errors import RunError
from tiebreak.recipe import Recipe
from tiebreak.sweep import trial as module
from tiebreak.sweep.board import Board
from tiebreak.sweep.drive import work
from tiebreak.sweep.results import write_tables
from tiebreak.sweep.study import Study
from tiebreak.workflow.callback import Event
from tiebreak.workflow.progress import Progress


def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> tuple[str, Board]:
    made = MadeUp(by_rate)

    def fail(recipe: Recipe, evaluation: int) -> None:
        if recipe.train.learning_rate == 3e-6:
            raise RunError("Memory does not suffice.")

    made.on_step = fail
    monkeypatch.setattr(module, "train_among", made)
    plan, folder = begun(tmp_path, searched(RATES))
    said = io.StringIO()
    progress = Progress(Console(file=said, width=120, force_terminal=terminal, color_system=None))
    trials = work(plan, folder, progress, write_tables)
    board = Board(plan, progress)
    board.begun(trials, 0)
    return said.getvalue(), board


def test_without_a_terminal_each_trial_is_two_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said, _ = shown(tmp_path, monkeypatch, terminal=False)
    lines = said.splitlines()
    assert lines[0] == "trial 0  train.learning_rate=1e-06"
    assert lines[1].startswith("trial 0  finished  eval_loss 0.6000  (1 of 3, ")
    assert lines[1].endswith(" left)")
    assert lines[5] == "trial 2  failed: Memory does not suffice.  (3 of 3)"


def test_in_a_terminal_there_is_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said, board = shown(tmp_path, monkeypatch, terminal=True)
    assert "train.learning_rate" in said
    assert "3 of 3 trials have ended; * is best" in said
    assert "failed: Memory does not suffice." in said
    assert "1*" in said
    rows = board.table()
    assert rows.row_count == 3


def test_what_is_left_is_no_more_than_the_time_that_is(tmp_path: Path) -> None:
    plan, folder = begun(tmp_path, searched({"train.learning_rate": {"log": [1e-7, 1e-5]}}, hours=0.001))
    board = Board(plan, Progress(Console(file=io.StringIO())))
    study = Study(plan, folder)
    assert study.next() == 0
    board.begun(study.trials(), 0)
    board._of_trial -= 60  # seconds that it took
    board.ended(study.trials(), 0)
    left = board.left()
    assert left is not None
    assert left <= 3.6


def test_a_trial_at_work_says_how_far_it_is(tmp_path: Path) -> None:
    plan, folder = begun(tmp_path, searched(RATES))
    said = io.StringIO()
    board = Board(plan, Progress(Console(file=said, width=120)))
    study = Study(plan, folder)
    assert study.next() == 0
    board.begun(study.trials(), 0)
    board.stepped(0, Event(tmp_path, 3, 40, 0.1, {"eval_loss": 0.61}))
    console = Console(file=said, width=120)
    console.print(board.table())
    assert "step 3/40" in said.getvalue()
    assert "0.6100" in said.getvalue()
    assert board.left() is None
