"""What is said of rows of no known form: the nearest form, and a command that is ready to run and makes examples."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.data.files import load, write
from tiebreak.data.forms.guess import proposal
from tiebreak.data.forms.roles import parse_flag
from tiebreak.errors import InputError

CASES: dict[str, dict[str, Any]] = {
    "German": {"frage": "2+2?", "gut": "4", "schlecht": "5"},
    "words in names": {"user_request": "a b", "winning_reply": "c d", "losing_reply": "e f"},
    "objects": {"task": {"text": "a b"}, "answers": {"best": "c d", "worst": "e f"}},
    "a list of objects": {"q": "a b", "replies_given": [{"txt": "c", "stars": 3}, {"txt": "d", "stars": 1}]},
    "two answers in an object": {"question": "a b", "options": {"a": "c d", "b": "e f"}, "preferred": "a"},
    "two scores": {"ctx": "a b", "sysA": "c d", "sysB": "e f", "scoreA": 1, "scoreB": 4},
    "a verdict by another name": {"prompt": "a b", "response_0": "c d", "response_1": "e f", "safer_response_id": 1},
    "chosen and rejected in objects": {"prompt": "a b", "chosen": {"txt": "c d"}, "rejected": {"txt": "e f"}},
}


@pytest.mark.parametrize("case", CASES)
def test_the_command_that_is_proposed_runs(tmp_path: Path, case: str) -> None:
    path = write(tmp_path / "data.jsonl", [CASES[case]])
    with pytest.raises(InputError) as error:
        load(path)
    flag = re.search(r"--columns (.+)$", str(error.value.fix))
    assert flag is not None
    (columns,) = shlex.split(flag[1])
    assert load(path, columns=parse_flag(columns)).report.made == 1


@pytest.mark.parametrize("number", [0, 1, -1])
def test_a_verdict_in_numbers_is_proposed_with_both_readings(number: int) -> None:
    fix = proposal([{"ask": "a b", "replyx": "c d", "replyy": "e f", "pick": number}])
    assert fix is not None
    readings = re.findall(r"first=(-?\d),second=(-?\d)", fix)
    assert len(readings) == 2
    assert readings[0] == readings[1][::-1]
    assert str(number) in readings[0]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "a b", "chosen": 5, "rejected": [1]},
        {"text": "a b"},
        {"a|b": "c d", "e{": "f g", "h,i": "j k"},
        {"prompt": "p", "response_a": "", "response_b": "  ", "winner": "somebody"},
    ],
)
def test_columns_that_would_make_nothing_are_not_proposed(row: dict[str, Any]) -> None:
    assert proposal([row]) is None


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"User_Prompt": "a", "chosen": "b c", "rejected": "d e"},
            "what is missing is 'prompt' (is it 'user_prompt'?)",
        ),
        ({"prompt": "a", "response_0": "b", "response_1": "c"}, "The nearest form is 'labelled'"),
        ({"messages": [{"x": 1}], "rejected_response": "b"}, "The nearest form"),
    ],
)
def test_the_nearest_form_is_named_with_what_is_missing(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        load(write(tmp_path / "data.jsonl", [row]))
    assert said in str(error.value)


def test_rows_that_are_all_wrong_are_not_said_to_be_skipped(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "chosen": "a", "rejected": {"words": i}} for i in range(3)]
    with pytest.raises(InputError) as error:
        load(write(tmp_path / "data.jsonl", rows))
    assert "the first 3 rows are all so" in str(error.value)
    assert "skip" not in str(error.value)
    with pytest.raises(InputError) as error:
        load(write(tmp_path / "some.jsonl", [{**rows[0], "rejected": "b"}, *rows]))
    assert "--skip-bad-rows" in str(error.value)
