"""`tiebreak evaluate`: flags become a question, and its answer is rows for people or JSON for programs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.evaluate.tables import measured
from tiebreak.cli.main import app
from tiebreak.errors import InputError
from tiebreak.evaluate.harness import tasks
from tiebreak.evaluate.harness.scores import HarnessRow, Score
from tiebreak.evaluate.harness.tasks import LoadedTasks
from tiebreak.workflow import evaluate as workflow
from tiebreak.workflow import harness, judging
from tiebreak.workflow.evaluate import Question
from tiebreak.workflow.evaluation import Evaluation
from tiebreak.workflow.harness import HarnessComparison, HarnessEvaluation, HarnessQuestion
from tiebreak.workflow.judged import AnswersEvaluation
from tiebreak.workflow.judging import AnswersQuestion

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


ROW = HarnessRow("facts", "acc", "none", 0, 20, True, group=False, part=False, after=Score(0.5, 0.25))
ROWS = (
    replace(ROW, task="all", group=True, before=Score(0.25, 0.1), difference=Score(0.25, 0.1)),
    replace(ROW, part=True, before=Score(0.25, 0.1), difference=Score(0.25)),
    replace(ROW, task="read", metric="ppl", higher_is_better=False, before=Score(12), difference=Score(-0.5)),
)
BENCHMARKS = HarnessEvaluation(
    version="0.4.13",
    tasks=("all", "read"),
    task_versions={"facts": "1.0"},
    limit=20,
    chat=True,
    models=(HarnessComparison("after", "before", ROWS, 0), HarnessComparison("other", None, (ROW,), 0)),
)


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> list[HarnessQuestion]:
    """What was asked of the harness, which is there."""
    asked: list[HarnessQuestion] = []

    def evaluate_harness(question: HarnessQuestion, *, loaded: object, progress: object) -> HarnessEvaluation:
        asked.append(question)
        return BENCHMARKS

    monkeypatch.setattr(tasks, "find_spec", lambda name: ModuleSpec(name, None))
    monkeypatch.setattr(harness, "open_tasks", lambda question: LoadedTasks((), {}, {}, ""))
    monkeypatch.setattr(harness, "evaluate_harness", evaluate_harness)
    return asked


def test_flags_are_the_question_of_the_benchmarks(benchmarks: list[HarnessQuestion], tmp_path: Path) -> None:
    flags = ["--harness", "all, read", "--harness-tasks", str(tmp_path), "--harness-limit", "20", "--harness-chat"]
    more = ["--against", "c", "--set", "train.precision=fp32"]
    done = CliRunner().invoke(app, ["evaluate", "a", "b", "a", *flags, *more])
    assert done.exit_code == 0, done.exception
    CliRunner().invoke(app, ["evaluate", "a", "--harness", "all"])
    assert benchmarks == [
        HarnessQuestion(
            ("a", "b"), ("all", "read"), "c", tmp_path, 20, chat=True, settings={"train.precision": "fp32"}
        ),
        HarnessQuestion(("a",), ("all",)),
    ]


def test_benchmarks_are_a_table_a_model(benchmarks: list[HarnessQuestion], questions: list[Question]) -> None:
    shown = CliRunner().invoke(app, ["evaluate", "after", "--harness", "all,read"])
    assert shown.stdout.splitlines() == [
        "lm-evaluation-harness 0.4.13: after against before, the first 20 documents of each task, by the chat template",
        "task  metric                documents  before           after            difference",
        "all   acc                   20         0.2500 ± 0.1000  0.5000 ± 0.2500  +0.2500 ± 0.1000",
        "read  ppl, lower is better  20         12.0000          0.5000 ± 0.2500  −0.5000",
        "in --json and --out alone: the tasks of groups, 1",
        "",
        "lm-evaluation-harness 0.4.13: other, the first 20 documents of each task, by the chat template",
        "task   metric  documents  value",
        "facts  acc     20         0.5000 ± 0.2500",
    ]
    both = CliRunner().invoke(app, ["evaluate", "after", "--data", "a", "--harness", "all", "--json"])
    found = json.loads(both.stdout)
    assert found["model"] == "after"
    assert found["harness"] == json.loads(json.dumps(BENCHMARKS.to_json()))
    assert len(questions) == 1


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--harness", ""], "No task is named"),
        (["--harness", "a,,b"], "No task is named"),
        (["--harness", "a", "--harness-tasks", "nothing"], "no folder 'nothing'"),
        (["--harness-limit", "3", "--data", "b"], "No benchmark is named"),
        (["--harness-chat", "--data", "b"], "No benchmark is named"),
        (["--harness", "a", "--judge", "bundled"], "nothing to measure on"),
        (["--harness", "a", "--out", "page.txt"], "is no page"),
        (["--harness", "a", "--out", "nothing/page.html"], "no folder 'nothing'"),
    ],
)
def test_what_is_wrong_with_benchmarks_is_found_first(
    flags: list[str], says: str, benchmarks: list[HarnessQuestion], questions: list[Question]
) -> None:
    error = CliRunner().invoke(app, ["evaluate", "a", *flags]).exception
    assert isinstance(error, InputError)
    assert says in str(error)
    assert not benchmarks
    assert not questions


def test_the_missing_extra_is_said_before_torch_is_loaded() -> None:
    program = (
        "import sys; from tiebreak.evaluate.harness import tasks; tasks.find_spec = lambda name: None\n"
        "from tiebreak.cli.main import run\n"
        "try: run(['evaluate', 'bundled:base', '--harness', 'hellaswag'])\n"
        "finally: print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert 'pip install "tiebreak[harness]"' in done.stderr
    assert done.stdout.strip() == "False"


def test_the_whole_evaluation_is_written_with_its_command(
    questions: list[Question], benchmarks: list[HarnessQuestion], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.html"
    flags = ["evaluate", "after", "--data", "a", "--harness", "all", "--out", str(path)]
    monkeypatch.setattr(sys, "argv", ["/somewhere/tiebreak", *flags])
    done = CliRunner().invoke(app, flags)
    assert done.exit_code == 0, done.exception
    written = path.read_text()
    assert f"tiebreak evaluate after --data a --harness all --out {path}" in written
    assert "/somewhere" not in written
    again = CliRunner().invoke(app, flags)
    assert isinstance(again.exception, InputError)
    assert "exists" in str(again.exception)
    assert len(questions) == 1
    assert CliRunner().invoke(app, [*flags, "--force"]).exit_code == 0
