from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.data.files import load, preferences, write
from tiebreak.data.load import load_demonstrations
from tiebreak.data.preference import Demonstration, Message, Preference
from tiebreak.data.recognise import first_match, named
from tiebreak.data.schemas import PREFERENCES
from tiebreak.data.sources import SourceSpec
from tiebreak.errors import InputError

USER, BOT = Message("user", "2+2?"), Message("assistant", "4")
TURNS = [{"role": "user", "content": "2+2?"}]
PLAIN = Preference((USER,), "4", "5")
SYSTEM = Message("system", "Be brief.")


def _ending(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


CASES: dict[str, tuple[str, dict[str, Any], list[Preference]]] = {
    "canonical": ("tiebreak", PLAIN.to_row(), [PLAIN]),
    "canonical by hand": ("tiebreak", {"prompt": TURNS, "chosen": "4", "rejected": "5"}, [PLAIN]),
    "transcript": (
        "transcript",
        {"chosen": "\n\nHuman: 2+2?\n\nAssistant: 4", "rejected": "\n\nHuman: 2+2?\n\nAssistant: 5 "},
        [PLAIN],
    ),
    "transcript of turns": (
        "transcript",
        {
            "chosen": "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: 2+2?\n\nAssistant: 4",
            "rejected": "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: 2+2?\n\nAssistant: 5",
        },
        [Preference((Message("user", "hi"), Message("assistant", "hello"), USER), "4", "5")],
    ),
    "text": ("text", {"prompt": " 2+2? ", "chosen": "4\n", "rejected": " 5"}, [PLAIN]),
    "text with a transcript as prompt": (
        "text",
        {"prompt": "\n\nHuman: 2+2?\n\nAssistant:", "response": " 4", "chosen": " 4", "rejected": " 5"},
        [PLAIN],
    ),
    "system": (
        "system",
        {"id": "x1", "source": "s", "system": "Be brief.", "prompt": "2+2?", "chosen": "4", "rejected": "5"},
        [Preference((SYSTEM, USER), "4", "5", id="x1")],
    ),
    "empty system": (
        "system",
        {"id": 7, "source": "s", "system": "", "prompt": "2+2?", "chosen": "4", "rejected": "5"},
        [Preference((USER,), "4", "5", id="7")],
    ),
    "ultrafeedback": (
        "ultrafeedback",
        {
            "prompt": "2+2?",
            "prompt_id": "abc",
            "chosen": TURNS + _ending("4"),
            "rejected": TURNS + _ending("5"),
            "messages": TURNS + _ending("4"),
            "score_chosen": 8.5,
            "score_rejected": 3.0,
        },
        [Preference((USER,), "4", "5", id="abc", chosen_score=8.5, rejected_score=3.0)],
    ),
    "messages": ("messages", {"prompt": TURNS, "chosen": _ending("4"), "rejected": _ending("5")}, [PLAIN]),
    "messages that repeat the prompt": (
        "messages",
        {"prompt": TURNS, "chosen": TURNS + _ending("4"), "rejected": TURNS + _ending("5")},
        [PLAIN],
    ),
    "implicit": ("implicit", {"chosen": TURNS + _ending("4"), "rejected": TURNS + _ending("5")}, [PLAIN]),
    "alpaca": (
        "alpaca",
        {"instruction": "Add.", "input": "2 and 2", "chosen": "4", "rejected": "5"},
        [Preference((Message("user", "Add.\n2 and 2"),), "4", "5")],
    ),
    "alpaca with history": (
        "alpaca",
        {
            "instruction": "2+2?",
            "input": "",
            "system": "Be brief.",
            "history": [["hi", "hello"]],
            "chosen": "4",
            "rejected": "5",
        },
        [Preference((SYSTEM, Message("user", "hi"), Message("assistant", "hello"), USER), "4", "5")],
    ),
    "sharegpt": (
        "sharegpt",
        {
            "conversations": [{"from": "human", "value": "2+2?"}],
            "chosen": {"from": "gpt", "value": "4"},
            "rejected": {"from": "gpt", "value": "5"},
        },
        [PLAIN],
    ),
    "safe rlhf": (
        "labelled",
        {"prompt": "2+2?", "response_0": "5", "response_1": "4", "better_response_id": 1, "safer_response_id": 0},
        [PLAIN],
    ),
    "choice by letter": ("labelled", {"prompt": "2+2?", "answer_a": "4", "answer_b": "5", "choice": "A"}, [PLAIN]),
    "choice by number": ("labelled", {"prompt": "2+2?", "answer_a": "5", "answer_b": "4", "choice": 1}, [PLAIN]),
    "choice counted from one": (
        "labelled",
        {"instruction": "2+2?", "output_1": "5", "output_2": "4", "preference": 2},
        [PLAIN],
    ),
    "arena": (
        "labelled",
        {
            "prompt": '["2+2?"]',
            "response_a": '["4"]',
            "response_b": '["5"]',
            "winner_model_a": 1,
            "winner_model_b": 0,
            "winner_tie": 0,
        },
        [PLAIN],
    ),
    "scores": (
        "ranked",
        {"prompt": "2+2?", "answers": ["4", "5", "6", "four"], "scores": [3, 1, 1, 3]},
        [
            Preference((USER,), "4", "5", id="row-1#0>1", chosen_score=3, rejected_score=1),
            Preference((USER,), "4", "6", id="row-1#0>2", chosen_score=3, rejected_score=1),
            Preference((USER,), "four", "5", id="row-1#3>1", chosen_score=3, rejected_score=1),
            Preference((USER,), "four", "6", id="row-1#3>2", chosen_score=3, rejected_score=1),
        ],
    ),
    "ranks": (
        "ranked",
        {"id": "q", "prompt": "2+2?", "responses": ["5", "4"], "ranks": [2, 1]},
        [Preference((USER,), "4", "5", id="q#1>0")],
    ),
    "scores inside": (
        "ranked",
        {"instruction": "2+2?", "completions": [{"response": "4", "score": 9}, {"response": "5", "score": 1}]},
        [Preference((USER,), "4", "5", id="row-1#0>1", chosen_score=9, rejected_score=1)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_public_form_is_recognised_and_converted(tmp_path: Path, case: str) -> None:
    schema, row, expected = CASES[case]
    loaded = load(write(tmp_path / "data.jsonl", [row]))
    assert loaded.recognition.schema == schema
    assert preferences(loaded) == expected
    assert preferences(load(tmp_path / "data.jsonl", schema=schema)) == expected


@pytest.mark.parametrize("case", CASES)
def test_parquet_gives_the_same_as_json_lines(tmp_path: Path, case: str) -> None:
    _, row, expected = CASES[case]
    assert preferences(load(write(tmp_path / "data.parquet", [row]))) == expected


@pytest.mark.parametrize("case", CASES)
def test_what_is_converted_reads_back_as_the_same(tmp_path: Path, case: str) -> None:
    _, row, expected = CASES[case]
    rows = [pair.to_row() for pair in preferences(load(write(tmp_path / "data.jsonl", [row])))]
    again = load(write(tmp_path / "again.jsonl", rows))
    assert again.recognition.schema == "tiebreak"
    assert preferences(again) == expected


def test_lists_in_csv_cells_are_read_as_lists(tmp_path: Path) -> None:
    import json

    cells = {"prompt": "2+2?", "answers": json.dumps(["4", "5"]), "scores": "[2, 1]"}
    assert preferences(load(write(tmp_path / "data.csv", [cells])))[0].chosen == "4"
    cells = {"chosen": json.dumps(TURNS + _ending("4")), "rejected": json.dumps(TURNS + _ending("5"))}
    assert preferences(load(write(tmp_path / "other.csv", [cells]))) == [PLAIN]


def test_half_a_character_in_a_csv_cell_is_refused(tmp_path: Path) -> None:
    half = '["\\ud83d", "5"]'
    path = write(tmp_path / "data.csv", [{"prompt": "2+2?", "answers": half, "scores": "[2, 1]"}])
    with pytest.raises(InputError):
        load(path)


LEFT_OUT: dict[str, tuple[str, dict[str, Any]]] = {
    "a tie": ("a tie", {"prompt": "p", "answer_a": "x", "answer_b": "y", "choice": "tie"}),
    "another way earlier": (
        "the transcripts differ before the last answer",
        {"chosen": "\n\nHuman: a\n\nAssistant: x", "rejected": "\n\nHuman: b\n\nAssistant: y"},
    ),
    "another conversation": (
        "the conversations differ before the last answer",
        {"chosen": TURNS + _ending("4"), "rejected": [{"role": "user", "content": "3+3?"}, *_ending("6")]},
    ),
    "a tool": (
        "a turn of a tool",
        {"prompt": [*TURNS, {"role": "tool", "content": "4"}], "chosen": _ending("4"), "rejected": _ending("5")},
    ),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_sound_rows_that_make_no_pair_are_left_out_by_name(tmp_path: Path, case: str) -> None:
    reason, row = LEFT_OUT[case]
    schema = first_match(row)
    assert schema is not None
    good = next(each for name, each, _ in CASES.values() if name == schema.name)
    loaded = load(write(tmp_path / "data.jsonl", [good, row, good, row]), schema=schema.name)
    assert loaded.report.left_out[reason].count == 2
    assert [place.rpartition(":")[2] for place in loaded.report.left_out[reason].examples] == ["2", "4"]
    assert loaded.report.rows == 4


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"prompt": [*TURNS, *_ending("4")], "chosen": _ending("4"), "rejected": _ending("5")},
            "ends with the user's turn",
        ),
        ({"prompt": TURNS, "chosen": TURNS, "rejected": _ending("5")}, "a last turn of the assistant"),
        (
            {"prompt": [{"role": "wizard", "content": "x"}], "chosen": _ending("4"), "rejected": _ending("5")},
            "'wizard'",
        ),
        ({"prompt": TURNS, "chosen": "", "rejected": "5"}, "'chosen': expected an answer"),
        ({"prompt": "p", "answer_a": "x", "answer_b": "y", "choice": "left"}, "or tie, found the text 'left'"),
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


def test_an_empty_answer_of_a_transcript_is_kept_and_noted(tmp_path: Path) -> None:
    row = {"chosen": "\n\nHuman: a\n\nAssistant:", "rejected": "\n\nHuman: a\n\nAssistant: y"}
    loaded = load(write(tmp_path / "data.jsonl", [row]))
    assert preferences(loaded)[0].chosen == ""
    assert [tally.count for tally in loaded.report.notes.values()] == [1]
    assert preferences(load(write(tmp_path / "again.jsonl", [preferences(loaded)[0].to_row()])))[0].chosen == ""


def test_names_of_schemas_are_unique() -> None:
    assert len({schema.name for schema in PREFERENCES}) == len(PREFERENCES)
    assert all(named(schema.name) is schema for schema in PREFERENCES)


DEMONSTRATION = Demonstration((USER,), "4")
SUPERVISED: dict[str, tuple[str, dict[str, Any]]] = {
    "messages": ("conversation", {"messages": TURNS + _ending("4")}),
    "prompt and completion": ("prompt-completion", {"prompt": "2+2?", "completion": " 4"}),
    "prompt and response": ("prompt-completion", {"prompt": "2+2?", "response": "4"}),
    "prompt and completion as messages": ("prompt-completion", {"prompt": TURNS, "completion": _ending("4")}),
    "instruction": ("instruction", {"instruction": "2+2?", "input": "", "output": "4"}),
    "conversations": (
        "conversations",
        {"conversations": [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}]},
    ),
    "canonical": ("demonstration", DEMONSTRATION.to_row()),
    "a preference": ("text", {"prompt": "2+2?", "chosen": "4", "rejected": "5"}),
    "an ultrafeedback row": ("ultrafeedback", CASES["ultrafeedback"][1]),
}


@pytest.mark.parametrize("case", SUPERVISED)
def test_every_supervised_form_is_read(tmp_path: Path, case: str) -> None:
    schema, row = SUPERVISED[case]
    loaded = load_demonstrations(SourceSpec(str(write(tmp_path / "data.jsonl", [row]))))
    assert loaded.recognition.schema == schema
    made = [Demonstration.from_row(each) for each in loaded.dataset]
    assert [(each.prompt, each.completion) for each in made] == [((USER,), "4")]


def test_each_answer_of_a_conversation_is_a_demonstration(tmp_path: Path) -> None:
    spoken = [*TURNS, *_ending("4"), {"role": "user", "content": "sure?"}, *_ending("yes")]
    loaded = load_demonstrations(SourceSpec(str(write(tmp_path / "data.jsonl", [{"messages": spoken}]))))
    made = [Demonstration.from_row(each) for each in loaded.dataset]
    assert [(len(each.prompt), each.completion, each.id) for each in made] == [
        (1, "4", "row-1#1"),
        (3, "yes", "row-1#3"),
    ]
