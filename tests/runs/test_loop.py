"""The loop folder: turns that are accepted or not, the way back, and files of any version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tiebreak.errors import InputError
from tiebreak.runs.loop import LoopFolder, LoopState, Outcome, Turn, TurnCounts, counts_of, keep_counts


def turn(number: int, outcome: Outcome = "accepted", began_from: int = 0) -> Turn:
    return Turn(
        number=number,
        outcome=outcome,
        why="better",
        model=f"turn-{number}/run",
        against="bundled:base",
        began_from=began_from,
        votes=8,
        pairs=4,
        base=0,
        measure="win_rate",
        value=0.6,
        low=0.55,
        high=0.65,
        pass_rate=None,
        time="2026-01-01T00:00:00+00:00",
    )


@pytest.fixture
def loop(tmp_path: Path) -> LoopFolder:
    found = LoopFolder(tmp_path / "circle")
    found.begin("bundled:base")
    return found


def test_the_accepted_model_is_the_current_one_and_there_is_a_way_back(loop: LoopFolder) -> None:
    assert loop.current() == "bundled:base"
    loop.add(turn(1))
    loop.add(turn(2, "rejected", began_from=1))
    assert loop.current() == str(loop.path / "turn-1/run")
    loop.add(turn(3, began_from=1))
    assert loop.current() == str(loop.path / "turn-3/run")
    assert loop.roll_back() == str(loop.path / "turn-1/run")
    assert loop.roll_back() == "bundled:base"
    with pytest.raises(InputError, match="nothing to roll back"):
        loop.roll_back()
    assert [each.number for each in loop.turns()] == [1, 2, 3]


def test_a_loop_of_version_1_is_read_and_gone_on_with(loop: LoopFolder) -> None:
    turns = [turn(1).to_json()]
    older = {"start": "bundled:base", "current": 1, "turns": turns}
    loop.state_path.write_text(json.dumps(older), encoding="utf-8")
    assert loop.state() == LoopState(start="bundled:base", current=1, turns=(turn(1),))
    loop.add(turn(2, began_from=1))
    written = json.loads(loop.state_path.read_text(encoding="utf-8"))
    assert written == {"version": 3, "start": "bundled:base", "current": 2, "turns": written["turns"]}
    assert written["turns"] == [*turns, turn(2, began_from=1).to_json()]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ([], "no JSON object"),
        ({}, "start: Field required"),
        ({"start": "x", "current": 4, "turns": []}, "there is no turn 4"),
        ({"start": "x", "current": 0, "turns": [{**turn(1).to_json(), "began_from": 7}]}, "there is no turn 7"),
        ({"start": "x", "turns": [{"number": 1}]}, "turns.0.outcome: Field required"),
        ({"version": 9, "start": "x"}, "knows forms up to 3"),
    ],
)
def test_a_damaged_loop_says_what_and_where(loop: LoopFolder, state: Any, said: str) -> None:
    loop.state_path.write_text(json.dumps(state), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        loop.state()
    assert said in caught.value.what
    assert caught.value.where == str(loop.state_path)


def test_what_is_no_loop_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a loop"):
        LoopFolder(tmp_path).turns()


def test_a_loop_is_held_by_one_process_at_a_time(loop: LoopFolder) -> None:
    with loop.locked(), pytest.raises(InputError, match="Another process"), loop.locked():
        pass


def test_a_turn_keeps_what_it_counted(tmp_path: Path) -> None:
    assert counts_of(tmp_path) is None
    keep_counts(tmp_path, TurnCounts(votes=40, pairs=12, base=200))
    written = {"votes": 40, "pairs": 12, "base": 200, "vote_ids": None}
    assert json.loads((tmp_path / "counts.json").read_text()) == written
    assert counts_of(tmp_path) == TurnCounts(votes=40, pairs=12, base=200)
    keep_counts(tmp_path, TurnCounts(votes=2, pairs=1, base=0, vote_ids=("a", "b")))
    assert counts_of(tmp_path) == TurnCounts(votes=2, pairs=1, base=0, vote_ids=("a", "b"))
    (tmp_path / "counts.json").write_text('{"votes": 40}')
    with pytest.raises(InputError, match="pairs: Field required"):
        counts_of(tmp_path)
