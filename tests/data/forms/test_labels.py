"""Single completions: every form of them is read, and no row is used as what it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.data.files import completions, load, unpaired, write
from tests.data.forms.cases import TURNS, said
from tiebreak.data.load import load_demonstrations
from tiebreak.data.preference import Demonstration, Message, UnpairedCompletion
from tiebreak.data.preparing.gather import gather
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError
from tiebreak.recipe import DataSection

USER = (Message("user", "2+2?"),)
ANSWER = [{"role": "assistant", "content": "4"}]
GOOD = UnpairedCompletion(USER, "4", True)
SPOKEN = [*TURNS, *ANSWER, {"role": "user", "content": "sure?"}, {"role": "assistant", "content": "yes"}]
SHARED = [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}]
CASES: dict[str, tuple[str, dict[str, Any], UnpairedCompletion]] = {
    "canonical": ("unpaired", GOOD.to_row(), GOOD),
    "prompt of messages": ("unpaired", {"prompt": TURNS, "completion": "4", "label": True}, GOOD),
    "text": ("unpaired-completion", {"prompt": "2+2?", "completion": "4", "label": True}, GOOD),
    "messages": ("unpaired-completion", {"prompt": TURNS, "completion": ANSWER, "label": True}, GOOD),
    "weighted": (
        "unpaired-completion",
        {"id": 7, "prompt": "2+2?", "completion": "4", "label": 1, "weight": 2},
        UnpairedCompletion(USER, "4", True, "7", 2.0),
    ),
    "messages with a tag": ("unpaired-messages", {"messages": [*TURNS, *ANSWER], "label": True}, GOOD),
    "a longer conversation": (
        "unpaired-messages",
        {"messages": SPOKEN, "kto_tag": False},
        UnpairedCompletion((*USER, Message("assistant", "4"), Message("user", "sure?")), "yes", False),
    ),
    "conversations": ("unpaired-conversations", {"conversations": SHARED, "kto_tag": True}, GOOD),
    "conversations with a system": (
        "unpaired-conversations",
        {"conversations": SHARED, "system": "Be brief.", "kto_tag": True},
        UnpairedCompletion((Message("system", "Be brief."), *USER), "4", True),
    ),
    "instruction": (
        "unpaired-instruction",
        {"instruction": "2+2?", "input": "", "output": "4", "kto_tag": True},
        GOOD,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_unpaired_form_is_recognised_and_converted(tmp_path: Path, case: str) -> None:
    schema, row, expected = CASES[case]
    for name in ("data.jsonl", "data.parquet"):
        loaded = unpaired(write(tmp_path / name, [row]))
        assert (loaded.recognition.schema, loaded.task) == (schema, "unpaired")
        assert completions(loaded) == [expected]
        assert completions(unpaired(tmp_path / name, schema=schema)) == [expected]
        assert loaded.dataset.features == UnpairedCompletion.features()


@pytest.mark.parametrize("case", CASES)
def test_what_is_converted_reads_back_as_the_same(tmp_path: Path, case: str) -> None:
    _, row, expected = CASES[case]
    rows = [each.to_row() for each in completions(unpaired(write(tmp_path / "data.jsonl", [row])))]
    again = unpaired(write(tmp_path / "again.jsonl", rows))
    assert again.recognition.schema == "unpaired"
    assert completions(again) == [expected]


@pytest.mark.parametrize(
    ("value", "good"),
    [
        *(
            (value, True)
            for value in (True, 1, 1.0, "1", "1.0", "+1", "True", "good", " Desirable ", "thumbs up", "👍")
        ),
        *((value, False) for value in (False, 0, -1, "0", "-1", "false", "BAD", "undesirable", "thumbs-down", "👎")),
    ],
)
def test_a_label_is_read_in_the_words_that_people_use(tmp_path: Path, value: Any, good: bool) -> None:
    (row,) = completions(unpaired(write(tmp_path / "data.jsonl", [{"prompt": "p", "completion": "x", "label": value}])))
    assert row.label is good


def test_rows_without_a_label_are_dropped_and_named(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"prompt": f"p {i}", "completion": "x", "label": True} for i in range(6)]
    rows[1]["label"] = None
    rows[3]["label"] = "neutral"
    del rows[4]["label"]
    loaded = unpaired(write(tmp_path / "data.jsonl", rows))
    assert (loaded.report.rows, loaded.report.made) == (6, 3)
    tally = loaded.report.dropped["no label"]
    assert (tally.count, [where.rpartition(":")[2] for where in tally.examples]) == (3, ["2", "4", "5"])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"prompt": "p", "completion": "x", "label": "purple"}, "'label': expected true or false"),
        ({"prompt": "p", "completion": "x", "label": 3}, "found the number 3"),
        ({"prompt": "p", "completion": "x", "label": [True]}, "found a list of 1"),
        ({"prompt": "p", "completion": " ", "label": True}, "'completion': expected an answer"),
        ({"prompt": SPOKEN, "completion": "x", "label": True}, "ends with the user's turn"),
        ({"messages": TURNS, "label": True}, "a last turn of the assistant"),
    ],
)
def test_a_broken_row_says_what_was_expected_and_can_be_skipped(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        unpaired(write(tmp_path / "data.jsonl", [row]))
    assert said in str(error.value)
    assert "data.jsonl:1" in str(error.value)
    good = {**row, **({"messages": SPOKEN} if "messages" in row else GOOD.to_row())}
    loaded = unpaired(write(tmp_path / "two.jsonl", [row, good]), skip_bad_rows=True)
    assert (loaded.report.bad.count, loaded.report.made) == (1, 1)


@pytest.mark.parametrize("case", CASES)
def test_unpaired_rows_are_no_pairs_and_it_says_what_to_do(tmp_path: Path, case: str) -> None:
    schema, row, _ = CASES[case]
    path = write(tmp_path / "data.jsonl", [row])
    for name in ("auto", schema):
        with pytest.raises(InputError, match="single answers with a label") as error:
            load(path, schema=name)
        assert "objective.name=kto" in str(error.value)
    with pytest.raises(InputError, match="single answers with a label"):
        gather(DataSection(source=str(path)))


def test_each_answer_of_a_conversation_is_a_demonstration(tmp_path: Path) -> None:
    spoken = [*TURNS, *said("4"), {"role": "user", "content": "sure?"}, *said("yes")]
    loaded = load_demonstrations(SourceSpec(str(write(tmp_path / "data.jsonl", [{"messages": spoken}]))))
    made = [Demonstration.from_row(each) for each in loaded.dataset]
    assert [(len(each.prompt), each.completion, each.id) for each in made] == [
        (1, "4", "row-1#1"),
        (3, "yes", "row-1#3"),
    ]
