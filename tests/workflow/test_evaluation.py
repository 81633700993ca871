"""What an evaluation says in plain words."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tiebreak.errors import InputError
from tiebreak.recipe import Recipe
from tiebreak.runs import RunFolder
from tiebreak.workflow.evaluate import Question, QuestionOptions, _question, evaluate_model
from tiebreak.workflow.evaluation import Evaluation
from tiebreak.workflow.run import Run


def test_every_metric_that_was_measured_has_a_label_and_its_digits() -> None:
    metrics = {
        "eval_logps/rejected": -44.318,
        "eval_logps/chosen": -40.126,
        "eval_rewards/rejected": -0.00012,
        "eval_rewards/margins": 0.25,
        "eval_loss": 0.69314,
        "eval_logps/accuracies": 0.5,
        "eval_rewards/accuracies": 0.8125,
        "eval_unknown": 3.0,
    }
    found = Evaluation(pairs=1200, dropped={"too long": 3}, reference=None, metrics=metrics, judge=None)
    assert found.rows() == [
        ("pairs", "1,200"),
        ("dropped: too long", "3"),
        ("accuracy (chosen has more reward)", "81.2% (78.9–83.4%)"),
        ("chosen is likelier (no reference)", "50.0%"),
        ("loss", "0.6931"),
        ("margin", "+0.2500"),
        ("reward of rejected", "−0.0001"),
        ("log-prob of chosen (nats)", "−40.13"),
        ("log-prob of rejected (nats)", "−44.32"),
        ("reference", "none: no rewards, only log-probs"),
    ]


def test_a_question_is_asked_in_either_way(tmp_path: Path) -> None:
    folder = RunFolder.create(Recipe(), tmp_path / "run")
    whole = Question(model=str(folder.path), data="prefs.jsonl", limit=3)
    assert _question(whole, None, {}) is whole
    assert _question(Run(folder), Path("prefs.jsonl"), {"limit": 3}) == whole
    assert _question(str(folder.path), "prefs.jsonl", {"limit": 3}) == whole


@pytest.mark.parametrize(
    ("model", "data", "options", "told"),
    [
        ("gpt2", None, {}, "nothing to measure on"),
        ("gpt2", "prefs.jsonl", {"limt": 3}, "no option 'limt'"),
        (Question("gpt2", "prefs.jsonl"), "prefs.jsonl", {}, "more beside it"),
        (Question("gpt2", "prefs.jsonl"), None, {"limit": 3}, "more beside it"),
    ],
)
def test_a_question_that_is_not_whole_is_refused(model: Any, data: Any, options: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        evaluate_model(model, data, **options)


def test_what_may_be_asked_by_name_is_every_field_of_a_question() -> None:
    assert {"model", "data", *QuestionOptions.__annotations__} == {each.name for each in fields(Question)}


def test_pairs_are_broken_down_by_what_their_rows_say(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    row = {"chosen": "Paris.", "rejected": "I do not know."}
    rows = [
        {**row, "prompt": f"What is {number}?", "source": "a\n[b]" if number < 4 else None, "topic": number % 2}
        for number in range(6)
    ]
    path.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    found = evaluate_model("bundled:base", path, columns={"category": "topic"})
    assert found.breakdown is not None
    assert found.measured is not None
    counts = {(part.by, part.name): part.pairs for part in found.breakdown.slices if part.by in ("source", "category")}
    expected = {("source", "a\n[b]"): 4, ("source", "none given"): 2, ("category", "0"): 3, ("category", "1"): 3}
    assert counts == expected
    assert found.to_json()["breakdown"]["slices"][0]["name"] == "a\n[b]"
    assert [label for label, _ in found.breakdown_rows() if "[b]" in label] == ["  a [b]"]
    sheet = found.sheet()
    assert {"source", "category"} <= set(sheet.headings)


def test_a_notebook_shows_the_answer_as_a_table() -> None:
    found = Evaluation(20, {"<b>": 1}, None, {"eval_loss": 0.5}, None)
    shown = found._repr_html_()
    assert "<table" in shown
    assert "&lt;b&gt;" in shown
