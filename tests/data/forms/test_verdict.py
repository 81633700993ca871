"""Which of two answers is better: words mean the same everywhere, numbers only where something confirms them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.data.files import load, preferences, write
from tiebreak.data.forms.fields import Dropped, RowProblem
from tiebreak.data.forms.recognise import named
from tiebreak.data.forms.remarks import CONTRADICTED
from tiebreak.data.preference import Preference
from tiebreak.errors import InputError


def _pairs(schema: str, row: dict[str, Any]) -> list[Preference]:
    return [made for made in named(schema).convert(row) if isinstance(made, Preference)]


@pytest.mark.parametrize(
    ("columns", "verdict", "chosen"),
    [
        (("answer_a", "answer_b"), "A", "x"),
        (("answer_a", "answer_b"), "model_b", "y"),
        (("answer_a", "answer_b"), "answer_b", "y"),
        (("answer_a", "answer_b"), "Left", "x"),
        (("answer_a", "answer_b"), "right", "y"),
        (("answer_a", "answer_b"), "[[B]]", "y"),
        (("answer_a", "answer_b"), "Answer B", "y"),
        (("answer_a", "answer_b"), "answer-b", "y"),
        (("option_a", "option_b"), "Option A", "x"),
        (("option_a", "option_b"), "Response B", "y"),
        (("response_1", "response_2"), "Response 2", "y"),
        (("response_1", "response_2"), "response1", "x"),
        (("answer_a", "answer_b"), "y", "y"),
        (("outputA", "outputB"), "b", "y"),
        (("response_0", "response_1"), 1.0, "y"),
        (("response_0", "response_1"), "0", "x"),
        (("response_0", "response_1"), "first", "x"),
        (("output_1", "output_2"), "2", "y"),
        (("output_1", "output_2"), 1.02, "x"),
        (("output_1", "output_2"), 1.98, "y"),
        (("output_1", "output_2"), [{"value": "output_2"}, {"value": "output_2"}, {"value": "output_1"}], "y"),
    ],
)
def test_the_verdict_is_read_in_many_words(columns: tuple[str, str], verdict: object, chosen: str) -> None:
    row = {"prompt": "p", columns[0]: "x", columns[1]: "y", "choice": verdict}
    (pair,) = _pairs("labelled", row)
    assert (pair.chosen, {pair.chosen, pair.rejected}) == (chosen, {"x", "y"})


def test_the_winner_may_be_the_name_of_a_model() -> None:
    row = {"prompt": "p", "response_a": "x", "response_b": "y", "model_a": "One", "model_b": "two", "winner": "two"}
    assert _pairs("labelled", row)[0].chosen == "y"
    assert _pairs("labelled", {**row, "winner": "one"})[0].chosen == "x"
    with pytest.raises(RowProblem):
        _pairs("labelled", {**row, "model_b": "One", "winner": "one"})


@pytest.mark.parametrize(
    "verdict", ["tie", "Tie (bothbad)", "both_bad", "Both bad", "draw", "neither", "no preference", "all-bad"]
)
def test_a_tie_makes_no_pair(verdict: str) -> None:
    for columns in (("answer_a", "answer_b"), ("response1", "response2")):
        with pytest.raises(Dropped, match="a tie"):
            _pairs("labelled", {"prompt": "p", columns[0]: "x", columns[1]: "y", "winner": verdict})


def test_two_models_that_both_lost_make_no_pair() -> None:
    row = {"prompt": "p", "response_a": "x", "response_b": "y", "winner_model_a": 0, "winner_model_b": 0}
    with pytest.raises(Dropped, match="a tie"):
        _pairs("labelled", row)
    assert _pairs("labelled", {**row, "winner_model_b": 1.0, "winner_model_a": 0.0})[0].chosen == "y"
    assert _pairs("labelled", {**row, "winner_model_a": True, "winner_model_b": False})[0].chosen == "x"


def test_a_verdict_that_names_neither_answer_is_wrong() -> None:
    with pytest.raises(RowProblem) as problem:
        _pairs("labelled", {"prompt": "p", "answer_a": "x", "answer_b": "y", "winner": "up"})
    assert problem.value.column == "winner"


def _two(verdicts: list[Any], names: tuple[str, str], column: str, **more: list[Any]) -> list[dict[str, Any]]:
    return [
        {"prompt": f"p{i}", names[0]: "x", names[1]: "y", column: verdict, **{key: more[key][i] for key in more}}
        for i, verdict in enumerate(verdicts)
    ]


@pytest.mark.parametrize(
    ("names", "column", "verdicts"),
    [
        (("response_a", "response_b"), "choice", [1, 0]),
        (("response_a", "response_b"), "label", [1, 1]),
        (("response_1", "response_2"), "preference", [0, 1]),
        (("response_1", "response_2"), "label", [1, 1, 1]),
        (("response_1", "response_2"), "preference", [1, 2, -1]),
        (("response_0", "response_1"), "label", [0, 1]),
        (("answer_a", "answer_b"), "choice", [-1, 1]),
        (("answer_a", "answer_b"), "choice", ["1", "0"]),
    ],
)
def test_numbers_that_public_data_use_both_ways_are_refused_with_the_flag_that_settles_it(
    tmp_path: Path, names: tuple[str, str], column: str, verdicts: list[Any]
) -> None:
    path = write(tmp_path / "data.jsonl", _two(verdicts, names, column))
    with pytest.raises(InputError) as error:
        load(path)
    said = str(error.value)
    assert f"--columns 'prompt=prompt,a={names[0]},b={names[1]},choice={column},first=" in said
    assert f"column '{column}'" in said
    assert "\\n{input}" not in said
    columns = {"prompt": "prompt", "a": names[0], "b": names[1], "choice": column}
    for first, chosen in ((verdicts[0], "x"), (None, "y")):
        values = {"first": first} if first is not None else {"second": verdicts[0]}
        rest = "|".join(str(each) for each in dict.fromkeys(verdicts) if each != verdicts[0])
        both = {**values, ("second" if first is not None else "first"): rest or "no"}
        assert preferences(load(path, columns={**columns, **both}))[0].chosen == chosen


@pytest.mark.parametrize(("first", "second"), [(1, 0), (0, 1), (1, -1), (-1, 1), (1, 2), (2, 1)])
def test_the_rows_own_scores_confirm_a_direction(tmp_path: Path, first: int, second: int) -> None:
    rows = _two(
        [first, second, first],
        ("output_A", "output_B"),
        "label",
        reward_A=[1, -1, 2],
        reward_B=[-1, 1, 0],
    )
    loaded = load(write(tmp_path / "data.jsonl", rows))
    assert [(pair.chosen, pair.chosen_score, pair.rejected_score) for pair in preferences(loaded)] == [
        ("x", 1, -1),
        ("y", 1, -1),
        ("x", 2, 0),
    ]
    assert "the scores of the rows confirm it" in loaded.recognition.why


def test_scores_that_contradict_some_rows_are_counted(tmp_path: Path) -> None:
    rows = _two([1] * 12, ("output_A", "output_B"), "label", reward_A=[1] * 11 + [0], reward_B=[0] * 11 + [1])
    loaded = load(write(tmp_path / "data.jsonl", rows))
    assert {pair.chosen for pair in preferences(loaded)} == {"x"}
    assert loaded.report.notes[CONTRADICTED].count == 1


def test_scores_that_agree_on_nothing_settle_nothing(tmp_path: Path) -> None:
    rows = _two([1, 1, 0, 0], ("output_A", "output_B"), "label", reward_A=[1, 0, 1, 0], reward_B=[0, 1, 0, 1])
    with pytest.raises(InputError, match="no scores that confirm one reading"):
        load(write(tmp_path / "data.jsonl", rows))


def test_a_number_that_the_first_rows_do_not_have_is_refused_by_its_row(tmp_path: Path) -> None:
    rows = _two([1, 2] * 40 + [3], ("answer_1", "answer_2"), "preference")
    with pytest.raises(InputError, match=r"data.jsonl:81, column 'preference'"):
        load(write(tmp_path / "data.jsonl", rows))


def test_every_two_answers_whose_scores_differ_make_a_pair() -> None:
    row = {"id": "q", "prompt": "p", "answers": ["x", "y", "z"], "scores": [2, 3, 2], "weight": 0.5}
    pairs = _pairs("ranked", row)
    assert [(pair.chosen, pair.rejected, pair.id) for pair in pairs] == [("y", "x", "q#1>0"), ("y", "z", "q#1>2")]
    assert {(pair.weight, pair.chosen_score, pair.rejected_score) for pair in pairs} == {(0.5, 3, 2)}


def test_the_lowest_rank_is_the_best_and_is_no_score() -> None:
    (pair,) = _pairs("ranked", {"prompt": "p", "answers": [{"text": "x", "rank": 2}, {"text": "y", "rank": 1}]})
    assert (pair.chosen, pair.chosen_score, pair.rejected_score) == ("y", None, None)


def test_equal_scores_and_a_lone_answer_make_no_pair() -> None:
    with pytest.raises(Dropped, match="a tie"):
        _pairs("ranked", {"prompt": "p", "answers": ["x", "y"], "scores": [1, 1]})
    with pytest.raises(Dropped, match="fewer than two answers"):
        _pairs("ranked", {"prompt": "p", "answers": ["x"], "scores": [1]})
