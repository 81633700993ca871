"""`tiebreak evaluate`: flags become a question, and its answer is rows for people or JSON for programs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.evaluate.tables import measured
from tiebreak.cli.main import app
from tiebreak.errors import InputError
from tiebreak.workflow import evaluate as workflow
from tiebreak.workflow import judging
from tiebreak.workflow.evaluate import Question
from tiebreak.workflow.evaluation import Evaluation
from tiebreak.workflow.judging import AnswersEvaluation, AnswersQuestion

FOUND = Evaluation(pairs=40, dropped={}, reference="bundled:base", metrics={"eval_loss": 0.5}, judge=None)
MEASURED = {"before": measured([1.0, -1.0, -1.0, 1.0]), "after": measured([1.0, 1.0, -1.0, 1.0])}


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[Question]:
    """What was asked."""
    asked: list[Question] = []

    def evaluate_model(question: Question, *, progress: object = None) -> Evaluation:
        asked.append(question)
        return replace(FOUND, model=question.model, measured=MEASURED.get(question.model))

    monkeypatch.setattr(workflow, "evaluate_model", evaluate_model)
    return asked


def test_flags_are_the_question(questions: list[Question]) -> None:
    flags = ["--reference", "gpt2", "--split", "test", "--schema", "text", "--max-length", "64", "--limit", "9"]
    CliRunner().invoke(app, ["evaluate", "runs/mine", "--data", "a", *flags, "--beta", "0.2", "--skip-bad-rows"])
    CliRunner().invoke(app, ["evaluate", "runs/mine", "--data", "a"])
    assert questions == [
        Question(
            model="runs/mine",
            data="a",
            reference="gpt2",
            split="test",
            schema="text",
            max_length=64,
            limit=9,
            beta=0.2,
            skip_bad_rows=True,
        ),
        Question(model="runs/mine", data="a"),
    ]


def test_it_takes_what_data_inspect_takes(questions: list[Question], tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.jsonl").write_text("{}")
    flags = ["--data", str(tmp_path), "--data-dir", "inner", "--transform", "m:f", "--set", "data.template=transcript"]
    done = CliRunner().invoke(app, ["evaluate", "runs/mine", *flags])
    assert done.exit_code == 0, done.exception
    remote = ["--data", "ann/prefs", "--config", "small", "--revision", "v1"]
    CliRunner().invoke(app, ["evaluate", "runs/mine", *remote])
    assert questions == [
        Question(
            "runs/mine", str(tmp_path), data_dir="inner", transform="m:f", settings={"data.template": "transcript"}
        ),
        Question("runs/mine", "ann/prefs", config="small", revision="v1"),
    ]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--data", "nothing.jsonl"], "no file 'nothing.jsonl'"),
        (["--data", "bundled:preferences", "--split", "tset"], "no split 'tset'"),
        (["--data", "bundled:preferences", "--set", "data.tmplate=chat"], "data.tmplate"),
        (["--data", "bundled:preferences", "--set", "model.name=gpt2"], "not set by 'model.name'"),
        (["--data", "bundled:preferences", "--beta", "1", "--set", "objective.beta=2"], "two values: 1.0 and 2"),
        (["--data", "bundled:preferences", "--reference", "./nothing"], "no model folder './nothing'"),
    ],
)
def test_what_is_wrong_is_found_first(flags: list[str], says: str, questions: list[Question]) -> None:
    error = CliRunner().invoke(app, ["evaluate", "bundled:base", *flags]).exception
    assert isinstance(error, InputError)
    assert says in str(error)
    assert not questions


def test_the_answer_is_rows_or_json_alone(questions: list[Question]) -> None:
    shown = CliRunner().invoke(app, ["evaluate", "runs/mine", "--data", "a"])
    assert [line.split()[0] for line in shown.stdout.splitlines()] == ["pairs", "loss", "reference"]
    plain = CliRunner().invoke(app, ["evaluate", "runs/mine", "--data", "a", "--json"])
    assert json.loads(plain.stdout) == replace(FOUND, model="runs/mine").to_json()


def test_several_models_are_shown_one_after_the_other_with_what_they_are_ahead(questions: list[Question]) -> None:
    shown = CliRunner().invoke(app, ["evaluate", "after", "other", "--against", "before", "--data", "a"])
    assert [question.model for question in questions] == ["after", "other", "before"]
    lines = shown.stdout.splitlines()
    assert {"after", "other", "before"} <= set(lines)
    assert lines[-2].startswith("after against before: accuracy +25.0 points (0.0 to +75.0) on 4 pairs of 4 prompts")
    assert lines[-1] == "other against before: no pair was measured on both"
    flags = ["evaluate", "after", "other", "--against", "before", "--data", "a", "--json"]
    found = json.loads(CliRunner().invoke(app, flags).stdout)
    assert [each["model"] for each in found["models"]] == ["after", "other", "before"]
    assert found["differences"][0]["accuracy"]["value"] == 0.25
    assert found["differences"][1] == {"model": "other", "against": "before", "pairs": 0}


@pytest.mark.parametrize(
    ("flags", "said"),
    [(["a", "b", "--pairs-out", "p.csv"], "is for one model"), (["a", "--pairs-out", "p.txt"], "is no table")],
)
def test_a_file_of_pairs_is_checked_before_anything_is_measured(
    questions: list[Question], flags: list[str], said: str
) -> None:
    found = CliRunner().invoke(app, ["evaluate", *flags, "--data", "a"])
    assert isinstance(found.exception, InputError)
    assert said in str(found.exception)
    assert not questions


def test_a_file_of_pairs_that_exists_stays(questions: list[Question], tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("mine")
    found = CliRunner().invoke(app, ["evaluate", "a", "--data", "b", "--pairs-out", str(path)])
    assert isinstance(found.exception, InputError)
    assert not questions
    assert path.read_text() == "mine"


def test_the_prompts_of_the_data_are_read_as_the_data_are(
    questions: list[Question], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[AnswersQuestion] = []

    def evaluate_answers(question: AnswersQuestion, *, progress: object = None) -> AnswersEvaluation:
        asked.append(question)
        return AnswersEvaluation((), None)

    monkeypatch.setattr(judging, "evaluate_answers", evaluate_answers)
    flags = ["--data", "ann/prefs", "--config", "small", "--revision", "v1", "--transform", "m:f", "--judge", "bundled"]
    CliRunner().invoke(app, ["evaluate", "runs/mine", *flags, "--set", "data.template=transcript"])
    (prompts,), (pairs,) = asked, questions
    for name in ("config", "data_dir", "split", "revision", "schema", "columns", "transform", "skip_bad_rows"):
        assert getattr(prompts, name) == getattr(pairs, name), name
    assert (prompts.prompts, prompts.config, prompts.transform) == ("ann/prefs", "small", "m:f")
    assert prompts.settings == {"data.template": "transcript"}
    assert pairs.settings == {
        "data.template": "transcript",
        "evaluate.judge": "none",
    }


def test_a_model_that_would_be_compared_with_itself_is_said_first(questions: list[Question]) -> None:
    error = CliRunner().invoke(app, ["evaluate", "a", "--against", "a", "--data", "b"]).exception
    assert isinstance(error, InputError)
    assert "compared with itself" in str(error)
    assert not questions
