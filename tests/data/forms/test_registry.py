"""Every form is recognised and converted, and whatever a row holds, it is converted or refused."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.data.files import completions, load, preferences, unpaired, write
from tests.data.forms.cases import DROPPED, PAIRS_AS, SUPERVISED
from tiebreak.data.forms.catalogue import PAIRS
from tiebreak.data.forms.fields import Dropped, RowProblem
from tiebreak.data.forms.recognise import first_match, named, recognise
from tiebreak.data.forms.registry import forms_of
from tiebreak.data.load import load_demonstrations
from tiebreak.data.preference import Demonstration, Message, UnpairedCompletion
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError
from tiebreak.tasks import TASKS, TaskName


@pytest.mark.parametrize("case", PAIRS_AS)
def test_every_public_form_is_recognised_and_converted(tmp_path: Path, case: str) -> None:
    schema, row, expected = PAIRS_AS[case]
    loaded = load(write(tmp_path / "data.jsonl", [row]))
    assert loaded.recognition.schema == schema
    assert preferences(loaded) == expected
    assert preferences(load(tmp_path / "data.jsonl", schema=schema)) == expected


@pytest.mark.parametrize("case", PAIRS_AS)
def test_parquet_gives_the_same_as_json_lines(tmp_path: Path, case: str) -> None:
    _, row, expected = PAIRS_AS[case]
    assert preferences(load(write(tmp_path / "data.parquet", [row]))) == expected


@pytest.mark.parametrize("case", PAIRS_AS)
def test_what_is_converted_reads_back_as_the_same(tmp_path: Path, case: str) -> None:
    _, row, expected = PAIRS_AS[case]
    rows = [pair.to_row() for pair in preferences(load(write(tmp_path / "data.jsonl", [row])))]
    again = load(write(tmp_path / "again.jsonl", rows))
    assert again.recognition.schema == "tiebreak"
    assert preferences(again) == expected


@pytest.mark.parametrize("case", DROPPED)
def test_sound_rows_that_make_no_pair_are_dropped_by_name(tmp_path: Path, case: str) -> None:
    reason, row = DROPPED[case]
    form = first_match(row)
    assert form is not None
    good = next(each for name, each, _ in PAIRS_AS.values() if name == form.name)
    loaded = load(write(tmp_path / "data.jsonl", [good, row, good, row]), schema=form.name)
    assert loaded.report.dropped[reason].count == 2
    assert [where.rpartition(":")[2] for where in loaded.report.dropped[reason].examples] == ["2", "4"]
    assert loaded.report.rows == 4


def test_names_of_forms_are_unique() -> None:
    assert len({form.name for form in PAIRS}) == len(PAIRS)
    assert all(named(form.name) is form for form in PAIRS)


@pytest.mark.parametrize("case", SUPERVISED)
def test_every_supervised_form_is_read(tmp_path: Path, case: str) -> None:
    schema, row = SUPERVISED[case]
    loaded = load_demonstrations(SourceSpec(str(write(tmp_path / "data.jsonl", [row]))))
    assert loaded.recognition.schema == schema
    made = [Demonstration.from_row(each) for each in loaded.dataset]
    assert [(each.prompt, each.completion) for each in made] == [(PROMPT, "4")]


PROMPT = (Message("user", "2+2?"),)


def test_each_pair_becomes_a_good_and_a_bad_completion(tmp_path: Path) -> None:
    path = write(
        tmp_path / "data.jsonl",
        [
            {"prompt": "2+2?", "chosen": "4", "rejected": "5", "weight": 0.5, "id": "a"},
            {"prompt": "2+2?", "chosen": "6", "rejected": "6"},
        ],
    )
    loaded = unpaired(path)
    assert loaded.recognition.schema == "text"
    assert completions(loaded) == [
        UnpairedCompletion(PROMPT, "4", True, "a", 0.5),
        UnpairedCompletion(PROMPT, "5", False, "a", 0.5),
    ]
    assert loaded.report.dropped["equal completions"].count == 1


def test_only_the_good_ones_are_imitated(tmp_path: Path) -> None:
    rows = [{"prompt": "2+2?", "completion": text, "label": text == "4"} for text in "453"]
    loaded = load_demonstrations(SourceSpec(str(write(tmp_path / "data.jsonl", rows))))
    assert [Demonstration.from_row(row) for row in loaded.dataset] == [Demonstration(PROMPT, "4")]
    assert loaded.report.dropped["called bad, so not imitated"].count == 2


def test_a_column_that_is_no_label_does_not_keep_answers_from_being_imitated(tmp_path: Path) -> None:
    rows = [{"prompt": "2+2?", "completion": "4", "label": "arithmetic"}]
    loaded = load_demonstrations(SourceSpec(str(write(tmp_path / "data.jsonl", rows))))
    assert loaded.recognition.schema == "prompt-completion"


COLUMNS = [
    *(
        "prompt",
        "chosen",
        "rejected",
        "system",
        "instruction",
        "input",
        "history",
        "output",
        "conversations",
        "messages",
    ),
    *("completion", "answers", "scores", "ranks", "answer_a", "answer_b", "choice", "better_response_id", "response_0"),
    *("response_1", "winner_model_a", "winner_model_b", "id", "weight", "score_chosen", "response"),
]
TURN = st.fixed_dictionaries(
    {},
    optional={
        name: st.none() | st.sampled_from(["user", "gpt", "tool", "", "hi"])
        for name in ("role", "content", "from", "value")
    },
)
VALUE: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | TURN
    | st.sampled_from(["\n\nHuman: a\n\nAssistant: b", "\n\nAssistant:", "a", "tie", "[1, 2]", '{"role": 1}', "[["]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(COLUMNS), inner, max_size=3),
    max_leaves=6,
)
ROW = st.dictionaries(st.sampled_from(COLUMNS), VALUE, max_size=6)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ROW, min_size=1, max_size=3), st.sampled_from(sorted(TASKS)))
def test_any_row_is_converted_or_refused_by_every_form(rows: list[dict[str, Any]], kind: TaskName) -> None:
    with contextlib.suppress(InputError):
        recognise(rows, "data.jsonl", kind)
    for row in rows:
        for form in forms_of(kind).known:
            with contextlib.suppress(RowProblem, Dropped):
                for made in form.convert(row):
                    assert made.prompt[-1].role == "user"
                    assert all(isinstance(message.content, str) for message in made.prompt)
