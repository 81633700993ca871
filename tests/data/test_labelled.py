"""Answers that are called good or bad: every form of them is read, and no row is used as what it is not."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.data.files import load, pairs, write
from tiebreak.cli.data import app
from tiebreak.data.gather import gather
from tiebreak.data.load import (
    LoadedPreferences,
    labelled_features,
    load_as_it_is,
    load_demonstrations,
    load_labelled,
    load_preferences,
)
from tiebreak.data.preference import Demonstration, LabelledCompletion, Message
from tiebreak.data.recognise import WrongKind
from tiebreak.data.select import select
from tiebreak.data.sources import SourceSpec
from tiebreak.errors import InputError
from tiebreak.recipe import DataSection

USER = (Message("user", "2+2?"),)
TURNS = [{"role": "user", "content": "2+2?"}]
ANSWER = [{"role": "assistant", "content": "4"}]
GOOD = LabelledCompletion(USER, "4", True)
SPOKEN = [*TURNS, *ANSWER, {"role": "user", "content": "sure?"}, {"role": "assistant", "content": "yes"}]
SHARED = [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}]


def _labelled(path: Path, **kwargs: Any) -> LoadedPreferences:
    return load_labelled(SourceSpec(str(path)), **kwargs)


def _rows(loaded: LoadedPreferences) -> list[LabelledCompletion]:
    return [LabelledCompletion.from_row(row) for row in loaded.dataset]


CASES: dict[str, tuple[str, dict[str, Any], LabelledCompletion]] = {
    "canonical": ("unpaired", GOOD.to_row(), GOOD),
    "prompt of messages": ("unpaired", {"prompt": TURNS, "completion": "4", "label": True}, GOOD),
    "text": ("unpaired-completion", {"prompt": "2+2?", "completion": " 4", "label": True}, GOOD),
    "messages": ("unpaired-completion", {"prompt": TURNS, "completion": ANSWER, "label": True}, GOOD),
    "weighted": (
        "unpaired-completion",
        {"id": 7, "prompt": "2+2?", "completion": "4", "label": 1, "weight": 2},
        LabelledCompletion(USER, "4", True, "7", 2.0),
    ),
    "messages with a tag": ("unpaired-messages", {"messages": [*TURNS, *ANSWER], "label": True}, GOOD),
    "a longer conversation": (
        "unpaired-messages",
        {"messages": SPOKEN, "kto_tag": False},
        LabelledCompletion((*USER, Message("assistant", "4"), Message("user", "sure?")), "yes", False),
    ),
    "conversations": ("unpaired-conversations", {"conversations": SHARED, "kto_tag": True}, GOOD),
    "conversations with a system": (
        "unpaired-conversations",
        {"conversations": SHARED, "system": "Be brief.", "kto_tag": True},
        LabelledCompletion((Message("system", "Be brief."), *USER), "4", True),
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
        loaded = _labelled(write(tmp_path / name, [row]))
        assert (loaded.recognition.schema, loaded.kind) == (schema, "labelled")
        assert _rows(loaded) == [expected]
        assert _rows(_labelled(tmp_path / name, schema=schema)) == [expected]
        assert loaded.dataset.features == labelled_features()


@pytest.mark.parametrize("case", CASES)
def test_what_is_converted_reads_back_as_the_same(tmp_path: Path, case: str) -> None:
    _, row, expected = CASES[case]
    rows = [each.to_row() for each in _rows(_labelled(write(tmp_path / "data.jsonl", [row])))]
    again = _labelled(write(tmp_path / "again.jsonl", rows))
    assert again.recognition.schema == "unpaired"
    assert _rows(again) == [expected]


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
    (row,) = _rows(_labelled(write(tmp_path / "data.jsonl", [{"prompt": "p", "completion": "x", "label": value}])))
    assert row.label is good


def test_rows_without_a_label_are_left_out_and_named(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"prompt": f"p {i}", "completion": "x", "label": True} for i in range(6)]
    rows[1]["label"] = None
    rows[3]["label"] = "neutral"
    del rows[4]["label"]
    loaded = _labelled(write(tmp_path / "data.jsonl", rows))
    assert (loaded.report.rows, loaded.report.made) == (6, 3)
    tally = loaded.report.left_out["no label"]
    assert (tally.count, [place.rpartition(":")[2] for place in tally.examples]) == (3, ["2", "4", "5"])


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
        _labelled(write(tmp_path / "data.jsonl", [row]))
    assert said in str(error.value)
    assert "data.jsonl:1" in str(error.value)
    good = {**row, **({"messages": SPOKEN} if "messages" in row else GOOD.to_row())}
    loaded = _labelled(write(tmp_path / "two.jsonl", [row, good]), skip_bad_rows=True)
    assert (loaded.report.bad.count, loaded.report.made) == (1, 1)


def test_each_pair_becomes_a_good_and_a_bad_answer(tmp_path: Path) -> None:
    path = write(
        tmp_path / "data.jsonl",
        [
            {"prompt": "2+2?", "chosen": "4", "rejected": "5", "weight": 0.5, "id": "a"},
            {"prompt": "2+2?", "chosen": "6", "rejected": "6"},
        ],
    )
    loaded = _labelled(path)
    assert loaded.recognition.schema == "text"
    assert _rows(loaded) == [
        LabelledCompletion(USER, "4", True, "a", 0.5),
        LabelledCompletion(USER, "5", False, "a", 0.5),
    ]
    assert loaded.report.left_out["equal endings"].count == 1


def test_only_the_good_ones_are_imitated(tmp_path: Path) -> None:
    rows = [{"prompt": "2+2?", "completion": text, "label": text == "4"} for text in "453"]
    loaded = load_demonstrations(SourceSpec(str(write(tmp_path / "data.jsonl", rows))))
    assert [Demonstration.from_row(row) for row in loaded.dataset] == [Demonstration(USER, "4")]
    assert loaded.report.left_out["labelled as bad, so not imitated"].count == 2


def test_a_column_that_is_no_label_does_not_keep_answers_from_being_imitated(tmp_path: Path) -> None:
    rows = [{"prompt": "2+2?", "completion": "4", "label": "arithmetic"}]
    loaded = load_demonstrations(SourceSpec(str(write(tmp_path / "data.jsonl", rows))))
    assert loaded.recognition.schema == "prompt-completion"


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


def test_demonstrations_have_no_labels_and_are_no_pairs(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", [{"prompt": "2+2?", "completion": "4"}])
    for schema in ("auto", "prompt-completion"):
        with pytest.raises(InputError, match="nothing says whether an answer is good") as error:
            _labelled(path, schema=schema)
        assert "a column 'label'" in str(error.value)
    with pytest.raises(InputError, match="nothing that it is better or worse than") as error:
        load(path)
    assert "tiebreak sft" in str(error.value)


def test_a_refusal_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(WrongKind("labelled", "preference", "data.jsonl")))
    assert (error.found, error.wanted, error.where) == ("labelled", "preference", "data.jsonl")
    assert str(error) == str(WrongKind("labelled", "preference", "data.jsonl"))


def test_a_source_is_read_as_what_it_is(tmp_path: Path) -> None:
    rows = {
        "preference": pairs(1)[0],
        "labelled": {"prompt": "2+2?", "completion": "4", "label": True},
        "supervised": {"prompt": "2+2?", "completion": "4"},
    }
    for kind, row in rows.items():
        loaded = load_as_it_is(SourceSpec(str(write(tmp_path / f"{kind}.jsonl", [row]))))
        assert loaded.kind == kind


def test_one_source_read_as_two_kinds_is_kept_as_two(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", pairs(3))
    as_pairs, as_answers = load_preferences(SourceSpec(str(path))), _labelled(path)
    assert as_pairs.fingerprint != as_answers.fingerprint
    assert (len(as_pairs.dataset), len(as_answers.dataset)) == (3, 6)


ROW = st.tuples(st.integers(0, 12), st.sampled_from("xyz"), st.booleans())


@settings(max_examples=40, deadline=None)
@given(st.lists(ROW, min_size=2, max_size=40), st.integers(0, 3))
def test_no_prompt_of_an_answer_stands_on_both_sides(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, str, bool]], seed: int
) -> None:
    rows = [{"prompt": f"p {i}", "completion": text, "label": label} for i, text, label in drawn]
    path = write(tmp_path_factory.mktemp("labelled") / "data.jsonl", rows)
    chosen = select(_labelled(path), DataSection(eval_fraction=0.3, seed=seed))
    sides = [{row["prompt"][0]["content"] for row in side} for side in (chosen.train, chosen.held_out)]
    assert not sides[0] & sides[1]
    assert len(chosen.train) + len(chosen.held_out) == len(set(drawn))
    report = chosen.report
    assert report.labels == {
        "good": sum(row["label"] for row in chosen.train),
        "bad": sum(not row["label"] for row in chosen.train),
    }
    seen = Counter((row["prompt"][0]["content"], row["completion"]) for row in chosen.train)
    assert report.contradicting == sum(count for count in seen.values() if count == 2)


def test_repeated_answers_are_dropped_and_contradictory_labels_counted(tmp_path: Path) -> None:
    rows = [{"prompt": "2+2?", "completion": text, "label": label} for text, label in (("4", 1), ("4", 1), ("4", 0))]
    loaded, chosen = gather(
        DataSection(source=str(write(tmp_path / "data.jsonl", rows)), eval_fraction=0), kind="labelled"
    )
    assert loaded.kind == "labelled"
    assert chosen.report.left_out == {"exact duplicates": 1}
    assert (chosen.report.train, chosen.report.contradicting) == (2, 2)
    assert chosen.report.to_json()["labels"] == {"good": 1, "bad": 1}
    flipped = [{**row, "label": not row["label"]} for row in rows]
    other = select(_labelled(write(tmp_path / "flipped.jsonl", flipped)), DataSection(eval_fraction=0))
    assert other.fingerprint != chosen.fingerprint


def _run(*arguments: object) -> Any:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result


def _answers(path: Path) -> Path:
    rows = [{"prompt": f"question {i}", "completion": f"answer {i}", "label": i % 3 > 0} for i in range(9)]
    return write(path, [*rows, {**rows[0], "label": True}, {**rows[0], "label": None}])


def test_inspect_counts_good_and_bad_answers_and_names_what_is_left_out(tmp_path: Path) -> None:
    path = _answers(tmp_path / "data.jsonl")
    shown = _run("inspect", path, "--html", tmp_path / "page.html").stdout
    for part in ("format unpaired-completion", "labelled answers", "good", "bad", "left out: no label", "answer"):
        assert part in shown
    page = (tmp_path / "page.html").read_text()
    assert "Good answer" in page
    assert "Chosen" not in page
    told = json.loads(_run("inspect", path, "--json").stdout)
    assert (told["kind"], told["labels"], told["contradicting"]) == ("labelled", {"good": 7, "bad": 3}, 2)
    assert sorted(told["lengths"]) == ["bad", "good", "prompt", "whole"]
    assert told["longer_is_chosen"] is None
    assert all({"good", "bad"} & set(sample) for sample in told["samples"])


def test_answers_of_one_label_alone_are_inspected(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", [{"prompt": "p", "completion": "x", "label": False}])
    told = json.loads(_run("inspect", path, "--json").stdout)
    assert told["labels"] == {"good": 0, "bad": 1}
    assert sorted(told["lengths"]) == ["bad", "prompt", "whole"]


def test_convert_writes_labelled_answers_that_read_back_as_the_same(tmp_path: Path) -> None:
    path = _answers(tmp_path / "data.csv")
    for name in ("out.jsonl.gz", "out.parquet"):
        assert "wrote 10 labelled answers" in _run("convert", path, tmp_path / name).stdout
        assert _rows(_labelled(tmp_path / name)) == _rows(_labelled(path))
