"""Votes from files: our own exports, Arena rows, any two answers with a verdict; and once, however often."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.votes.made import START, answer, compared, vote
from tiebreak.errors import InputError
from tiebreak.votes import open_votes
from tiebreak.votes.export import write_csv, write_lines
from tiebreak.votes.pairs import training_rows
from tiebreak.votes.store import VoteStore
from tiebreak.votes.vote import EarlierVersion, Vote
from tiebreak.workflow.import_votes import UNKNOWN, Imported, import_votes, open_file

OWN = [
    compared("left", "ann", 0, edited="better", reason="why"),
    compared("right", "bob", 1, corrections=(EarlierVersion("left", "once", None, START, "v-x"),)),
    vote(3, left=answer("5", before=(("assistant", "a"), ("user", "b"))), right=answer("", seed=None), verdict="tie"),
]


def _file(folder: Path, rows: Iterable[dict[str, Any]], name: str = "rows.jsonl") -> str:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def _import(source: str, folder: Path, **how: Any) -> tuple[Imported, list[Vote]]:
    with open_votes(str(folder / "votes.db")) as store:
        found = import_votes(open_file(source), store, **how)
        return found, list(store.every())


def _talk(*said: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(said)]


def _arena(winner: str, a: list[dict[str, str]], b: list[dict[str, str]], **more: Any) -> dict[str, Any]:
    return {"model_a": "m-a", "model_b": "m-b", "winner": winner, "conversation_a": a, "conversation_b": b, **more}


def test_an_export_of_our_own_comes_back_whole_and_once(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    write_lines((each.to_row() for each in OWN), path)
    first, kept = _import(str(path), tmp_path)
    assert (first, kept) == (Imported(3, 0, {}), OWN)
    assert kept[1].unblind
    assert _import(str(path), tmp_path) == (Imported(0, 3, {}), OWN)


def test_a_vote_that_was_withdrawn_here_is_not_brought_back(tmp_path: Path) -> None:
    source = _file(tmp_path, [OWN[0].to_row(), {**OWN[2].to_row(), "withdrawn": True}])
    _import(source, tmp_path)
    with open_votes(str(tmp_path / "votes.db")) as store:
        store.withdraw(OWN[0].id)
    assert _import(source, tmp_path) == (Imported(0, 1, {"withdrawn": 1}), [])


def test_rows_of_the_arena_are_votes_with_ties_models_judges_and_times(tmp_path: Path) -> None:
    rows = [
        _arena("model_a", _talk("Q", "A1"), _talk("Q", "B1"), judge="arena_user_1", tstamp=1_682_351_591.5),
        _arena("model_b", _talk("Q", "A2"), _talk("Q", "B2"), judge="arena_user_1"),
        _arena("tie", _talk("Q", "A3"), _talk("Q", "B3"), judge="arena_user_2"),
        _arena("tie (bothbad)", _talk("Q", "A4"), _talk("Q", "B4")),
    ]
    source = _file(tmp_path, rows)
    found, kept = _import(source, tmp_path)
    by_text = {each.left.text: each for each in kept}
    assert found == Imported(4, 0, {})
    assert [by_text[f"A{number}"].verdict for number in (1, 2, 3, 4)] == ["left", "right", "tie", "both_bad"]
    assert {(each.left.model, each.right.model) for each in kept} == {("m-a", "m-b")}
    assert by_text["A1"].time.timestamp() == 1_682_351_591.5
    assert by_text["A1"].voter == by_text["A2"].voter != by_text["A3"].voter
    assert "arena_user" not in by_text["A1"].voter
    assert _import(source, tmp_path)[0] == Imported(0, 4, {})


def test_conversations_that_went_apart_early_are_votes_of_several_turns(tmp_path: Path) -> None:
    row = _arena("model_b", _talk("Q", "A1", "And?", "A2"), _talk("Q", "B1", "And?", "B2"))
    alike = _arena("tie", _talk("Q", "S", "And?", "A2"), _talk("Q", "S", "And?", "B2"))
    _, kept = _import(_file(tmp_path, [row, alike]), tmp_path)
    apart, same = sorted(kept, key=lambda each: len(each.prompt))
    assert apart.prompt == (("user", "Q"),)
    assert [turn[1] for turn in apart.left.turns] == ["A1", "And?", "A2"]
    assert [turn[1] for turn in apart.right.turns] == ["B1", "And?", "B2"]
    assert (len(same.prompt), same.left.before, same.left.text) == (3, (), "A2")
    ((pair,), _) = training_rows([apart])
    assert [turn["content"] for turn in pair["chosen_turns"]] == ["B1", "And?", "B2"]


_TWO = {"prompt": "Q", "response_a": "one", "response_b": "two"}


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ({**_TWO, "winner": "a"}, "left"),
        ({**_TWO, "winner": "response_b"}, "right"),
        ({**_TWO, "winner": "tie"}, "tie"),
        ({**_TWO, "winner": "both_bad"}, "both_bad"),
        ({**_TWO, "winner_model_a": 0, "winner_model_b": 1, "winner_tie": 0}, "right"),
        ({**_TWO, "winner_model_a": 0, "winner_model_b": 0, "winner_tie": 1}, "tie"),
        ({"history": "Q", "human_ref_A": "one", "human_ref_B": "two", "labels": 0}, "right"),
        ({"prompt": "Q", "response_1": "one", "response_2": "two", "preference_strength": 0}, "tie"),
        ({"prompt": "Q", "response_1": "one", "response_2": "two", "preference_strength": -2}, "left"),
        ({"prompt": "Q", "answer_0": "one", "answer_1": "two", "score_0": 1, "score_1": 3}, "right"),
        ({"prompt": "Q", "answer_0": "one", "answer_1": "two", "score_0": 3, "score_1": 3}, "tie"),
    ],
)
def test_whatever_data_reads_as_two_answers_with_a_verdict_is_a_vote(
    row: dict[str, Any], verdict: str, tmp_path: Path
) -> None:
    _, (kept,) = _import(_file(tmp_path, [row]), tmp_path)
    assert (kept.verdict, kept.left.text, kept.right.text) == (verdict, "one", "two")
    assert kept.prompt == (("user", "Q"),)
    assert kept.left.model == kept.right.model == UNKNOWN


def test_chosen_and_rejected_stand_on_either_side_and_the_same_each_time(tmp_path: Path) -> None:
    source = _file(tmp_path, ({"prompt": f"Q{n}", "chosen": "good", "rejected": "bad"} for n in range(60)))
    found, kept = _import(source, tmp_path)
    assert found.added == 60
    assert 15 < sum(each.verdict == "left" for each in kept) < 45
    assert {each.left.text if each.verdict == "left" else each.right.text for each in kept} == {"good"}
    assert _import(source, tmp_path)[0].added == 0


def test_columns_by_hand_and_rows_that_say_the_same_twice(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["ask", "x", "y", "best"], ["Q", "one", "two", "y"], ["Q", "one", "two", "y"]])
    columns = {"prompt": "ask", "a": "x", "b": "y", "choice": "best"}
    found, kept = _import(str(path), tmp_path, columns=columns)
    assert (found.added, [each.verdict for each in kept]) == (2, ["right", "right"])
    assert kept[0].voter != kept[1].voter
    assert _import(str(path), tmp_path, columns=columns)[0] == Imported(0, 2, {})


def test_what_is_no_vote_is_said_with_its_row(tmp_path: Path) -> None:
    good = _arena("tie", _talk("Q", "A"), _talk("Q", "B"))
    source = _file(tmp_path, [good, {**good, "winner": "nobody knows"}, {**good, "winner": None}])
    with pytest.raises(InputError) as refused:
        _import(source, tmp_path)
    assert "rows.jsonl:2" in str(refused.value.where)
    found, _ = _import(source, tmp_path, skip_bad_rows=True)
    assert dict(found.dropped) == {"rows that cannot be read": 1, "no verdict": 1}
    own = _file(tmp_path, [{key: value for key, value in OWN[0].to_row().items() if key != "reason"}], "own.jsonl")
    with pytest.raises(InputError, match="no 'reason'"):
        _import(own, tmp_path)
    bad = _file(tmp_path, [{**OWN[0].to_row(), "verdict": "up"}], "bad.jsonl")
    with pytest.raises(InputError, match="verdict"):
        _import(bad, tmp_path)


def test_files_that_hold_no_votes_are_refused(tmp_path: Path) -> None:
    write_csv(OWN, tmp_path / "sheet.csv")
    with pytest.raises(InputError, match="spreadsheets"):
        _import(str(tmp_path / "sheet.csv"), tmp_path)
    with pytest.raises(InputError, match="empty"):
        _import(_file(tmp_path, [], "empty.jsonl"), tmp_path)
    with open_votes(str(tmp_path / "other.db")) as store:
        store.add(OWN[0])
    with pytest.raises(InputError, match="store of votes"):
        open_file(f"votes:{tmp_path / 'other.db'}")
    with pytest.raises(InputError, match="no file"):
        open_file(str(tmp_path / "typo.jsonl"))


def test_an_import_that_was_cut_off_is_completed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = _file(tmp_path, (vote(number).to_row() for number in range(25)))
    monkeypatch.setattr("tiebreak.workflow.import_votes._AT_ONCE", 10)
    add, calls = VoteStore.add_all, []

    def failing(self: VoteStore, new: Iterable[Vote]) -> int:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return add(self, new)

    monkeypatch.setattr(VoteStore, "add_all", failing)
    with pytest.raises(KeyboardInterrupt):
        _import(source, tmp_path)
    found, kept = _import(source, tmp_path)
    assert (found, len(kept)) == (Imported(15, 10, {}), 25)
