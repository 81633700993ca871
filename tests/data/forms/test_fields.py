"""A column that does not hold what it should is named, with what was expected and what was found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.data.files import load, preferences, write
from tests.data.forms.cases import PLAIN, TURNS, said
from tiebreak.errors import InputError


def test_lists_in_csv_cells_are_read_as_lists(tmp_path: Path) -> None:

    cells = {"prompt": "2+2?", "answers": json.dumps(["4", "5"]), "scores": "[2, 1]"}
    assert preferences(load(write(tmp_path / "data.csv", [cells])))[0].chosen == "4"
    cells = {"chosen": json.dumps(TURNS + said("4")), "rejected": json.dumps(TURNS + said("5"))}
    assert preferences(load(write(tmp_path / "other.csv", [cells]))) == [PLAIN]


def test_half_a_character_in_a_csv_cell_is_refused(tmp_path: Path) -> None:
    half = '["\\ud83d", "5"]'
    path = write(tmp_path / "data.csv", [{"prompt": "2+2?", "answers": half, "scores": "[2, 1]"}])
    with pytest.raises(InputError):
        load(path)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"prompt": [*TURNS, *said("4")], "chosen": said("4"), "rejected": said("5")},
            "ends with the user's turn",
        ),
        ({"prompt": TURNS, "chosen": TURNS, "rejected": said("5")}, "a last turn of the assistant"),
        (
            {"prompt": [{"role": "wizard", "content": "x"}], "chosen": said("4"), "rejected": said("5")},
            "'wizard'",
        ),
        ({"prompt": TURNS, "chosen": "", "rejected": "5"}, "'chosen': expected an answer"),
        ({"prompt": "p", "answer_a": "x", "answer_b": "y", "choice": "up"}, "or tie, found the text 'up'"),
        ({"prompt": "p", "answers": ["x", "y"], "scores": [1]}, "a list of 2 numbers"),
        ({"prompt": "p", "answers": ["x", "y"], "scores": [1, "many"]}, "a number"),
        ({"prompt": "p", "answers": ["x", ""], "scores": [1, 2]}, "an answer"),
    ],
)
def test_a_broken_row_says_what_was_expected(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        load(write(tmp_path / "data.jsonl", [row]))
    assert said in str(error.value)
    assert "data.jsonl:1" in str(error.value)
