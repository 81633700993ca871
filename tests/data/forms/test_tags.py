"""Where rows are from and of what kind they are: what is a tag, which columns hold one, and how others are said."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from tests.data.files import completions, load, preferences, unpaired, write
from tiebreak.data.convert import write_rows
from tiebreak.data.forms.paths import parse
from tiebreak.data.forms.roles import parse_flag
from tiebreak.data.forms.tags import no_tags, tag, tag_of
from tiebreak.data.load import load_demonstrations
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError

PLAIN: dict[str, Any] = {"prompt": "2+2?", "chosen": "4", "rejected": "5"}
Tags = list[tuple[str | None, str | None]]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" code ", " code "),
        ("", None),
        (" \n", None),
        ("x" * 200, "x" * 200),
        ("x" * 201, None),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (0, "0"),
        (3.0, "3"),
        (-0.5, "-0.5"),
        (1e300, "1e+300"),
        (math.inf, "inf"),
        (math.nan, None),
        pytest.param(10**5000, None, id="a long number"),
        (None, None),
        ([], None),
        (["a"], None),
        ({"a": 1}, None),
        (b"a", None),
    ],
)
def test_short_texts_numbers_and_truth_values_are_tags(value: Any, expected: str | None) -> None:
    assert tag(value) == expected


@pytest.mark.parametrize(
    ("row", "expected", "unused"),
    [
        ({"a": "x"}, "x", []),
        ({"a": "x", "b": "y"}, "x", ["b"]),
        ({"a": ["x"], "b": "y"}, "y", ["a"]),
        ({"a": "x" * 300, "b": {"c": 1}}, None, ["a", "b"]),
        ({"a": None, "b": math.nan}, None, []),
        ({"a": " ", "b": []}, None, []),
        ({"a": '["x"]', "b": "[x"}, "[x", ["a"]),
        ({"a": "x", "skip": "y"}, "x", []),
    ],
)
def test_the_first_place_with_a_tag_counts_and_the_others_are_left_over(
    row: dict[str, Any], expected: str | None, unused: list[str]
) -> None:
    expression = parse("a|b|skip")
    assert tag_of(expression, row) == expected
    assert no_tags(expression, row, frozenset({"skip"})) == unused


def _tags(path: Path, **settings: Any) -> tuple[Tags, dict[str, int]]:
    loaded = load(path, **settings)
    return [(each.source, each.category) for each in preferences(loaded)], dict(loaded.report.unused)


def test_columns_of_usual_names_are_tags_and_no_longer_unused(tmp_path: Path) -> None:
    rows = [
        {**PLAIN, "source": "evol", "category": "math", "note": "n"},
        {**PLAIN, "source": ["a", "b"], "category": None, "note": None},
    ]
    assert _tags(write(tmp_path / "a.jsonl", rows)) == ([("evol", "math"), (None, None)], {"note": 1, "source": 1})
    other = [{**PLAIN, "Dataset": "hh", "subset": "chat", "language": "en"}]
    assert _tags(write(tmp_path / "b.jsonl", other)) == ([("hh", "chat")], {"language": 1})


def test_a_folder_of_files_makes_no_source(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / "shards" / f"{name}.jsonl", [{**PLAIN, "prompt": name}])
    assert _tags(tmp_path / "shards") == ([(None, None)] * 2, {})


def test_every_row_that_a_row_makes_has_its_tags(tmp_path: Path) -> None:
    ranked = {"prompt": "2+2?", "answers": ["4", "5", "6"], "scores": [3, 2, 1], "source": "s", "category": "c"}
    assert _tags(write(tmp_path / "ranked.jsonl", [ranked]))[0] == [("s", "c")] * 3
    several = {"prompt": "2+2?", "chosen": "4", "rejected": ["5", "6"], "source": "s", "category": "c"}
    assert (
        _tags(
            write(tmp_path / "several.jsonl", [several]),
            columns=parse_flag("prompt=prompt,chosen=chosen,rejected=rejected"),
        )[0]
        == [("s", "c")] * 2
    )
    transcript = {
        "chosen": "\n\nHuman: 2+2?\n\nAssistant: 4",
        "rejected": "\n\nHuman: 2+2?\n\nAssistant: 5",
        "source": "s",
    }
    assert _tags(write(tmp_path / "transcript.jsonl", [transcript]))[0] == [("s", None)]
    labelled = {"prompt": "2+2?", "response_0": "5", "response_1": "4", "choice": "b", "category": "c"}
    assert _tags(write(tmp_path / "labelled.jsonl", [labelled]))[0] == [(None, "c")]


def test_other_tasks_have_the_tags_of_their_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", [{**PLAIN, "source": "s", "category": "c"}])
    assert [(each.source, each.category) for each in completions(unpaired(path))] == [("s", "c")] * 2
    shown = load_demonstrations(SourceSpec(str(path))).dataset[0]
    assert (shown["source"], shown["category"]) == ("s", "c")
    own = write(tmp_path / "own.jsonl", [{"prompt": "2+2?", "completion": "4", "label": True, "domain": "d"}])
    assert [(each.source, each.category) for each in completions(unpaired(own))] == [(None, "d")]
    assert load_demonstrations(SourceSpec(str(own))).dataset[0]["category"] == "d"


ROW = {**PLAIN, "category": "usual", "topic": {"name": "t", "depth": 2}, "from": "f"}


@pytest.mark.parametrize(
    ("flag", "expected", "unused"),
    [
        ("category=topic.name,source=from", ("f", "t"), {"topic.depth", "category"}),
        ("category=topic", (None, None), {"topic", "category", "from"}),
        ("category={topic.name}/{category}", (None, "t/usual"), {"topic.depth", "from"}),
        ("category=,ignore=from|category", (None, None), {"topic"}),
        ("prompt=prompt,chosen=chosen,rejected=rejected,category=from", (None, "f"), {"topic", "category"}),
    ],
)
def test_tags_by_hand_go_with_the_form_that_is_recognised(
    tmp_path: Path, flag: str, expected: tuple[str | None, str | None], unused: set[str]
) -> None:
    found, left = _tags(write(tmp_path / "data.jsonl", [ROW]), columns=parse_flag(flag))
    assert found == [expected]
    assert set(left) == unused


def test_tags_by_hand_go_with_a_named_form_and_with_each_task(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", [ROW])
    loaded = load(path, schema="text", columns={"source": "from"})
    assert loaded.recognition.schema == "text"
    assert loaded.recognition.why == "named by the user; named by the user: source=from"
    assert preferences(loaded)[0].source == "f"
    assert {each.source for each in completions(unpaired(path, columns={"source": "from"}))} == {"f"}
    assert load_demonstrations(SourceSpec(str(path)), columns={"source": "from"}).dataset[0]["source"] == "f"
    called = write(tmp_path / "called.jsonl", [{"prompt": "2+2?", "output": "4", "label": 1, "from": "f"}])
    assert load_demonstrations(SourceSpec(str(called)), columns={"source": "from"}).dataset[0]["source"] == "f"
    # A form whose columns have other names from source to source, and one of several.
    scored = {"question": "2+2?", "answer_0": "4", "answer_1": "5", "score_0": 2, "score_1": 1, "from": "f"}
    assert _tags(write(tmp_path / "scored.jsonl", [scored]), columns={"source": "from"}) == ([("f", None)], {})
    swift = {"query": "2+2?", "response": "4", "rejected_response": "5", "from": "f"}
    assert _tags(write(tmp_path / "swift.jsonl", [swift]), columns={"source": "from"}) == ([("f", None)], {})


def test_a_slip_in_the_name_of_a_column_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", [ROW])
    with pytest.raises(InputError, match="have no column 'topc', which is named as category") as error:
        load(path, columns={"category": "topc"})
    assert "did you mean 'topic'?" in str(error.value)


def test_a_column_that_is_named_is_not_taken_for_a_usual_one_in_other_capitals(tmp_path: Path) -> None:
    row = {"Source": "2+2?", "Category": "4", "rejected": "5"}
    path = write(tmp_path / "data.jsonl", [row])
    (pair,) = preferences(load(path, columns={"prompt": "Source", "chosen": "Category", "rejected": "rejected"}))
    assert (pair.prompt[0].content, pair.chosen, pair.source, pair.category) == ("2+2?", "4", None, None)


def test_tags_survive_writing_and_reading(tmp_path: Path) -> None:
    rows = [{**PLAIN, "source": 1.0, "lang": True}, {**PLAIN, "prompt": "3+3?"}]
    loaded = load(write(tmp_path / "data.jsonl", rows))
    for name in ("out.jsonl", "out.parquet"):
        write_rows(loaded.dataset, tmp_path / name)
        again = load(tmp_path / name)
        assert again.report.unused == {}
        assert preferences(again) == preferences(loaded)
    assert [(each.source, each.category) for each in preferences(again)] == [("1", "true"), (None, None)]
    plain = load(write(tmp_path / "plain.jsonl", [PLAIN]))
    write_rows(plain.dataset, tmp_path / "plain.parquet")
    assert {"source", "category"}.isdisjoint(parquet.read_schema(tmp_path / "plain.parquet").names)
