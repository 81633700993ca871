"""Columns by hand: every set of roles, from the flag and from the recipe, to the rows that they make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.data.files import completions, load, preferences, unpaired, write
from tiebreak.data.forms.recognise import WrongTask
from tiebreak.data.forms.roles import columns_of, parse_flag, parse_test
from tiebreak.data.load import load_as_it_is, load_demonstrations
from tiebreak.data.preference import Demonstration, Message, Preference, UnpairedCompletion
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError

USER = Message("user", "2+2?")
PLAIN = Preference((USER,), "4", "5")
ASKED = {"role": "user", "content": "2+2?"}


def _said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


CASES: dict[str, tuple[dict[str, Any], str, list[Preference]]] = {
    "other names": (
        {"frage": "2+2?", "gut": "4", "schlecht": "5"},
        "prompt=frage,chosen=gut,rejected=schlecht",
        [PLAIN],
    ),
    "paths": (
        {"info": {"q": "2+2?"}, "out": [{"text": "4"}, {"text": "5"}]},
        "prompt=info.q,chosen=out[0].text,rejected=out[-1].text",
        [PLAIN],
    ),
    "a column with a point in its name": (
        {"a.b": "2+2?", "c[0]": "4", "r": "5"},
        "prompt=a.b,chosen=c[0],rejected=r",
        [PLAIN],
    ),
    "a template": (
        {"t": "Sum", "q": "2+2?", "c": "4", "r": "5"},
        r"prompt={t}\n\n{q},chosen=c,rejected=r",
        [Preference((Message("user", "Sum\n\n2+2?"),), "4", "5")],
    ),
    "a template with a comma, in quotes": (
        {"t": "Sum", "q": "2+2?", "c": "4", "r": "5"},
        'prompt="{t}, please: {q}",chosen=c,rejected=r',
        [Preference((Message("user", "Sum, please: 2+2?"),), "4", "5")],
    ),
    "a template of which a field is missing": (
        {"t": None, "q": "2+2?", "c": "4", "r": "5"},
        r"prompt={t}\n\n{q},chosen=c,rejected=r",
        [PLAIN],
    ),
    "system, history, id, weight, scores": (
        {"q": "2+2?", "c": "4", "r": "5", "s": "Be brief.", "h": [["a", "b"]], "n": 7, "w": 0.5, "x": 2, "y": 1},
        "prompt=q,chosen=c,rejected=r,system=s,history=h,id=n,weight=w,chosen_score=x,rejected_score=y",
        [
            Preference(
                (Message("system", "Be brief."), Message("user", "a"), Message("assistant", "b"), USER),
                *("4", "5", "7", 0.5, 2, 1),
            )
        ],
    ),
    "a system that does not matter": (
        {"prompt": "2+2?", "chosen": "4", "rejected": "5", "system": "Be brief."},
        "prompt=prompt,chosen=chosen,rejected=rejected,system=",
        [PLAIN],
    ),
    "answers with scores": (
        {"q": "2+2?", "as": [{"t": "5", "s": 1}, {"t": "4", "s": 3}]},
        "prompt=q,answers=as[*].t,scores=as[*].s",
        [Preference((USER,), "4", "5", "row-1#1>0", 1.0, 3, 1)],
    ),
    "answers with scores of which less is better": (
        {"q": "2+2?", "as": ["5", "4"], "loss": [3, 1]},
        "prompt=q,answers=as,scores=loss,better=lower",
        [Preference((USER,), "4", "5", "row-1#1>0")],
    ),
    "answers with ranks": (
        {"q": "2+2?", "as": ["5", "4"], "place": [2, 1]},
        "prompt=q,answers=as,ranks=place",
        [Preference((USER,), "4", "5", "row-1#1>0")],
    ),
    "answers in their order": (
        {"q": "2+2?", "as": ["5", "4"]},
        "prompt=q,answers=as,better=last",
        [Preference((USER,), "4", "5", "row-1#1>0")],
    ),
    "answers in several columns": (
        {"q": "2+2?", "one": "5", "two": "4", "s1": 0, "s2": 1},
        "prompt=q,answers=one|two,scores=s1|s2",
        [Preference((USER,), "4", "5", "row-1#1>0", 1.0, 1, 0)],
    ),
    "two answers and a choice": (
        {"q": "2+2?", "x": "5", "y": "4", "v": 1},
        "prompt=q,a=x,b=y,choice=v,first=0,second=1",
        [PLAIN],
    ),
    "a choice with a sign": (
        {"q": "2+2?", "x": "5", "y": "4", "v": 2.5},
        "prompt=q,a=x,b=y,choice=v,first=<0,second=>0,tie=0",
        [PLAIN],
    ),
    "a choice in words of one's own": (
        {"q": "2+2?", "x": "5", "y": "4", "v": "Rechts"},
        "prompt=q,a=x,b=y,choice=v,first=links,second=rechts|unten,tie=gleich",
        [PLAIN],
    ),
    "two answers and two scores": (
        {"q": "2+2?", "x": "5", "y": "4", "sx": 1, "sy": 2},
        "prompt=q,a=x,b=y,score_a=sx,score_b=sy",
        [Preference((USER,), "4", "5", None, 1.0, 2, 1)],
    ),
    "two conversations and a winner": (
        {"l": [ASKED, _said("5")], "r": [ASKED, _said("4")], "w": "r"},
        "a=l,b=r,choice=w",
        [PLAIN],
    ),
    "a transcript as prompt": (
        {"q": "\n\nHuman: 2+2?\n\nAssistant:", "c": " 4", "r": " 5"},
        "prompt=q,chosen=c,rejected=r",
        [PLAIN],
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ["data.jsonl", "data.parquet"])
def test_columns_by_hand_make_exactly_these_pairs(tmp_path: Path, case: str, name: str) -> None:
    row, flag, expected = CASES[case]
    loaded = load(write(tmp_path / name, [row]), columns=parse_flag(flag))
    assert preferences(loaded) == expected
    assert loaded.recognition.schema == "columns"


@pytest.mark.parametrize(("value", "reason"), [(0, "a tie"), ("both", "a tie"), (None, "no verdict")])
def test_ties_by_hand_are_dropped(tmp_path: Path, value: object, reason: str) -> None:
    rows = [{"q": "2+2?", "x": "4", "y": "5", "v": each} for each in (-1, value)]
    columns = {"prompt": "q", "a": "x", "b": "y", "choice": "v", "first": "<0", "second": ">0", "tie": [0, "both"]}
    loaded = load(write(tmp_path / "data.jsonl", rows), columns=columns)
    assert {each: tally.count for each, tally in loaded.report.dropped.items()} == {reason: 1}


def test_single_completions_by_hand(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", [{"q": "2+2?", "r": "4", "ok": "ja"}, {"q": "2+2?", "r": "5", "ok": "nein"}])
    flag = parse_flag("prompt=q,completion=r,label=ok,good=ja,bad=nein")
    loaded = load_as_it_is(SourceSpec(str(path)), columns=flag)
    assert loaded.task == "unpaired"
    assert completions(unpaired(path, columns=flag)) == [
        UnpairedCompletion((USER,), "4", True),
        UnpairedCompletion((USER,), "5", False),
    ]
    made = load_demonstrations(SourceSpec(str(path)), columns={"prompt": "q", "completion": "r"})
    assert [Demonstration.from_row(row).completion for row in made.dataset] == ["4", "5"]
    with pytest.raises(WrongTask):
        load(path, columns=flag)


def test_pairs_by_hand_serve_other_tasks(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", [{"q": "2+2?", "x": "4", "y": "5", "v": 1}])
    columns = parse_flag("prompt=q,a=x,b=y,choice=v,first=1,second=0")
    assert [(each.completion, each.label) for each in completions(unpaired(path, columns=columns))] == [
        ("4", True),
        ("5", False),
    ]


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("promt=q,chosen=c,rejected=r", "did you mean 'prompt'?"),
        ("prompt=q,chosen=c", "'rejected' is missing"),
        ("prompt=q,a=c,b=r", "which of the two answers is better"),
        ("prompt=q,chosen=c,rejected=rr", "no column 'rr', which is named as rejected"),
        ("prompt", "does not say which column is what"),
        ("prompt={q,chosen=c,rejected=r", "a brace that is not closed"),
        ("prompt=q..,chosen=c,rejected=r", "is no path"),
        ("prompt=q,answers=c,better=up", "higher, lower, first, last"),
        ("completion=c", "The completion has no prompt"),
        ("prompt=q", "The columns make no example"),
        ("chosen=c,rejected=r,choice=q", "'choice' (which of the two is better) says nothing beside chosen and"),
        ("prompt=q,answers=c,scores=r,choice=q", "'choice' (which of the two is better) says nothing beside answers"),
        ("chosen=c,rejected=r,label=q", "'label' (whether it is good) says nothing beside chosen and rejected"),
        ("prompt=q,completion=c,ranks=r", "'ranks' (their ranks, 1 is the best) says nothing beside completion"),
        ("chosen=c,rejected=r,a=q", "'a' (the first of two answers or conversations) says nothing beside chosen"),
        ("chosen=c,rejected=r,tie=0", "'tie' (neither is better) says nothing without choice"),
        ("prompt=q,completion=c,good=1", "'good' (values of the label that mean good) says nothing without label"),
    ],
)
def test_what_is_wrong_with_columns_is_said(tmp_path: Path, flag: str, said: str) -> None:
    path = write(tmp_path / "data.jsonl", [{"q": "2+2?", "c": "4", "r": "5"}])
    with pytest.raises(InputError) as error:
        load(path, columns=parse_flag(flag))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("prompt=task.txt,chosen=out[0].text,rejected=out[1].text", "did you mean 'task.text'?"),
        ("prompt=task.text,chosen=out[0].txt,rejected=out[1].text", "did you mean 'out[0].text'?"),
        ("prompt=task.text,answers=out[*].txt,scores=out[*].n", "did you mean 'out[*].text'?"),
    ],
)
def test_a_key_that_no_row_has_is_answered_with_those_that_they_have(tmp_path: Path, flag: str, said: str) -> None:
    row = {"task": {"text": "2+2?"}, "out": [{"text": "4", "n": 2}, {"text": "5", "n": 1}]}
    path = write(tmp_path / "data.jsonl", [{"task": None, "out": []}, row])
    with pytest.raises(InputError) as error:
        load(path, columns=parse_flag(flag))
    assert said in str(error.value)


def test_columns_and_a_schema_are_one_too_many(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", [{"q": "2+2?", "c": "4", "r": "5"}])
    with pytest.raises(InputError, match="both say what the rows are"):
        load(path, columns={"prompt": "q", "chosen": "c", "rejected": "r"}, schema="text")


def test_columns_are_part_of_what_a_reading_is_known_by(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", [{"q": "2+2?", "c": "4", "r": "5"}])
    one = load(path, columns={"prompt": "q", "chosen": "c", "rejected": "r"})
    other = load(path, columns={"prompt": "q", "chosen": "r", "rejected": "c"})
    assert one.fingerprint != other.fingerprint
    assert preferences(one)[0].chosen == preferences(other)[0].rejected == "4"


@pytest.mark.parametrize(
    ("test", "value", "holds"),
    [
        ("<0", -0.5, True),
        ("<0", 0, False),
        (">=1.5", "1.5", True),
        (">1", "many", False),
        ("1", 1.0, True),
        ("1", "1", True),
        ("1", True, False),
        ("true", True, True),
        ("Yes", "yes ", True),
    ],
)
def test_a_value_is_compared_as_people_write_it(test: str, value: object, holds: bool) -> None:
    assert parse_test(test).holds(value) is holds


def test_usual_names_that_a_role_uses_are_not_read_twice() -> None:
    columns = columns_of({"prompt": "history", "chosen": "c", "rejected": "r"})
    assert "history" not in columns.roles["history"].columns
    assert columns.roles["system"].columns > {"system", "system_prompt"}
