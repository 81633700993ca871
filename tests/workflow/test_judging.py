"""Two models' answers, judged: by a function, an endpoint, both; estimated, cut off, and gone on with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from tests.evaluate.judges.openai_server import Answered, openai_server
from tests.workflow.conftest import small_recipe
from tiebreak.cli.main import app
from tiebreak.errors import InputError, RunError
from tiebreak.evaluate.judges.judge import Cost
from tiebreak.generation.generate import Sampling
from tiebreak.models.load import load_model, load_tokenizer
from tiebreak.recipe import JudgeSection, judge_from_flag
from tiebreak.workflow.judging import AnswersQuestion, estimate, evaluate_answers
from tiebreak.workflow.train import resume, train

BASE = "bundled:base"
ASKED = ["What is the capital of France?", "What is the capital of Italy?", "What is the capital of Peru?"]


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that answers otherwise."""
    folder = tmp_path_factory.mktemp("other")
    model = load_model(BASE)
    torch.manual_seed(0)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.05 * weights.std() * torch.randn_like(weights))
    model.save_pretrained(folder)
    load_tokenizer(BASE).save_pretrained(folder)
    return str(folder)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("prompts.txt").write_text("\n".join(ASKED))
    Path("judge_of_test.py").write_text("def length(prompt, answer):\n    return len(answer)\n")


def question(model: str, *judges: str, against: str | None = BASE) -> AnswersQuestion:
    """A model against the bundled one on three prompts."""
    return AnswersQuestion(
        models=(model,),
        prompts="prompts.txt",
        against=against,
        judges=tuple(map(judge_from_flag, judges)),
        sampling=Sampling(1.0, max_new_tokens=8, seed=1),
    )


def test_two_judges_of_the_same_mind_agree_and_nothing_is_asked_twice(other: str) -> None:
    pytest.importorskip("openai", reason='pip install "tiebreak[judge]"')
    with openai_server() as server:
        asked = question(other, "python:judge_of_test:length", f"openai:m@{server.url}")
        ((_, nothing), (name, cost)) = estimate(asked)
        assert nothing is None
        assert name == f"m at {server.url}"
        assert isinstance(cost, Cost)
        assert cost.calls == 6
        assert not server.requests
        found = evaluate_answers(asked)
        (one,) = found.compared
        by_length, by_endpoint = one.judgements
        assert by_length.verdicts.points == by_endpoint.verdicts.points
        assert one.agreement is not None
        assert one.agreement.same == 1.0
        assert by_length.win_rate is not None
        assert [change.name for change in one.changes[3:]] == ["refusals, by phrase", "perplexity of plain text"]
        made = len(server.requests)
        assert evaluate_answers(asked).compared[0].judgements == one.judgements
        assert len(server.requests) == made
        written = json.dumps(found.to_json())
        assert "more_prompts" in written
        assert found.sheet().headings[0] == "prompt"
        assert len(found.sheet().rows) == 3


def test_an_evaluation_that_was_cut_off_goes_on(other: str) -> None:
    pytest.importorskip("openai", reason='pip install "tiebreak[judge]"')
    with openai_server() as server:
        works = server.answer
        settings = {"model": "m", "base_url": server.url, "concurrency": 1, "retries": 0}
        judge = JudgeSection.model_validate({"openai": settings})
        asked = AnswersQuestion(
            (other,), "prompts.txt", BASE, (judge,), sampling=Sampling(1.0, max_new_tokens=8, seed=1)
        )
        served: list[int] = []

        def breaks(request: object) -> Answered:
            served.append(1)
            return works(request) if len(served) < 2 else Answered("", 500)  # type: ignore[arg-type]

        server.answer = breaks
        with pytest.raises(RunError, match="answers 500"):
            evaluate_answers(asked)
        server.answer = works
        whole = evaluate_answers(asked)
        assert whole.against is not None
        assert whole.against.kept == 3
        different = {json.dumps(each["messages"]) for each in server.requests}
        assert len(server.requests) == len(different) + 1  # the one that failed, and nothing else, was asked again


def test_questions_that_make_no_sense_are_refused(other: str) -> None:
    with pytest.raises(InputError, match="compared with itself"):
        evaluate_answers(question(BASE, "bundled"))
    pytest.importorskip("openai", reason='pip install "tiebreak[judge]"')
    with pytest.raises(InputError, match="compares two answers, and there is one model"):
        evaluate_answers(question(BASE, "openai:m@http://127.0.0.1:1/v1", against=None))


def test_the_command_shows_writes_and_estimates(other: str) -> None:
    flags = ["evaluate", other, "--against", BASE, "--prompts", "prompts.txt", "--max-new-tokens", "8"]
    judge = ["--judge", "python:judge_of_test:length", "--judge", "bundled"]
    shown = CliRunner().invoke(app, [*flags, *judge, "--answers-out", "answers.jsonl"])
    assert shown.exit_code == 0, shown.output
    for word in ("win rate", "wins, ties, losses", "sign test", "kappa", "repeated 4-grams", "perplexity"):
        assert word in shown.stdout
    rows = [json.loads(line) for line in Path("answers.jsonl").read_text().splitlines()]
    assert [row["prompt"] for row in rows] == ASKED
    assert rows[0]["judge_of_test:length: " + other + " verdict"] in (0.0, 0.5, 1.0)
    as_json = CliRunner().invoke(app, [*flags, *judge, "--json"])
    assert json.loads(as_json.stdout)["answers"]["prompts"] == 3
    dry = CliRunner().invoke(app, [*flags, *judge, "--dry-run"])
    assert "Nothing was sampled or asked." in dry.stdout
    alone = CliRunner().invoke(app, ["evaluate", BASE, "--prompts", "prompts.txt", "--judge", "bundled"])
    assert "passes the bundled judge" in alone.stdout


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([], "nothing to measure on"),
        (["--prompts", "prompts.txt", "--judge", "pyton:a:b"], "is no judge"),
        (["--prompts", "prompts.txt", "--judge", "python:judge_of_test:lenght"], "has no function 'lenght'"),
        (["--prompts", "prompts.txt", "--answers-out", "a.txt"], "is no table"),
        (["--prompts", "prompts.txt", "--pairs-out", "a.csv"], "there are none"),
        (["--prompts", "none.txt"], "no file"),
    ],
)
def test_a_mistyped_flag_is_a_sentence_before_any_model_is_loaded(flags: list[str], sentence: str) -> None:
    found = CliRunner().invoke(app, ["evaluate", "no/such-model", *flags])
    assert isinstance(found.exception, InputError)
    assert sentence in str(found.exception)


@pytest.mark.journey
def test_a_judge_of_a_recipe_is_checked_first_and_what_fails_at_the_end_can_be_resumed() -> None:
    small = {"data__limit": 16, "data__eval_limit": 4, "train__max_steps": 1, "evaluate__judge_prompts": 2}
    with pytest.raises(InputError, match="has no function 'lenght'"):
        train(small_recipe(evaluate__judge="python:judge_of_test:lenght", **small), out="typo")
    Path("program.py").write_text("import sys\nsys.exit('not today')\n")
    with pytest.raises(RunError, match="not today"):
        train(small_recipe(evaluate__judge="command:python3 program.py", **small), out="run")
    Path("program.py").write_text("import sys\nfor line in sys.stdin:\n    print('{\"score\": 1}')\n")
    judge = resume("run").folder.load_manifest().judge
    assert judge is not None
    assert (judge.prompts, judge.before) == (2, None)
    assert judge.win_rate is not None
    assert judge.win_rate.value == 0.5
