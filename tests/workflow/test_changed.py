"""What else training changed: traits with intervals, KL from the model before, benchmarks of both, in one run."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.evaluate.harness.folder import needs_harness, own_tasks
from tests.workflow.conftest import Small
from tiebreak.cli.main import app
from tiebreak.errors import InputError
from tiebreak.evaluate.harness.scores import Score
from tiebreak.generation.generate import Sampling
from tiebreak.runs.outcome import HarnessRecord, KlRecord
from tiebreak.workflow.harness import HarnessQuestion, evaluate_harness
from tiebreak.workflow.judging import AnswersQuestion, evaluate_answers

BASE = "bundled:base"


def test_traits_of_the_answers_and_plain_text_are_recorded_with_intervals(small: Small) -> None:
    answers = small(evaluate__samples=8, evaluate__max_new_tokens=8).folder.load_manifest().answers
    assert answers is not None
    names = ["tokens of an answer", "repeated 4-grams", "ends by itself", "refusals, by phrase"]
    assert [change.name for change in answers.changes] == [*names, "perplexity of plain text"]
    tokens, text = answers.changes[0], answers.changes[-1]
    assert (tokens.before, tokens.after) == (answers.before.tokens, answers.after.tokens)
    assert tokens.difference.low <= tokens.difference.value <= tokens.difference.high
    assert text.unit == "nats a token"
    assert text.before != text.after


def test_what_evaluate_measures_of_the_run_is_the_same(small: Small) -> None:
    run = small(evaluate__samples=8, evaluate__max_new_tokens=8)
    recorded = run.folder.load_manifest().answers
    assert recorded is not None
    question = AnswersQuestion((str(run.path),), "bundled:preferences", against=BASE, most=2)
    (found,) = evaluate_answers(question).compared
    mine, its = recorded.changes[-1], found.changes[-1]
    assert its.name == mine.name
    assert (mine.before, mine.after) == pytest.approx((its.before, its.after), rel=1e-3)


def _kl(small: Small, name: str, **settings: object) -> KlRecord:
    run = small(name, evaluate__kl=True, evaluate__judge_prompts=8, evaluate__max_new_tokens=8, **settings)
    found = run.folder.load_manifest().kl
    assert found is not None
    return found


@pytest.mark.parametrize("adapter", [None, "lora"])
def test_a_model_that_did_not_move_has_no_kl_and_one_that_did_has_some(small: Small, adapter: str | None) -> None:
    still = _kl(small, "still", model__adapter=adapter, train__learning_rate=1e-11, train__max_steps=1)
    assert still.value is not None
    assert still.value.value == pytest.approx(0.0, abs=1e-5)
    moved = _kl(small, "moved", model__adapter=adapter, train__learning_rate=3e-2)
    assert moved.value is not None
    assert moved.value.value > 0.5
    assert (moved.measured_from, moved.answers, moved.left_out) == (BASE, 8, 0)


def test_the_kl_is_the_one_that_evaluate_gives_of_the_run(small: Small) -> None:
    """Its answers are drawn in other batches, so they differ; both estimate one number."""
    run = small(evaluate__kl=True, evaluate__judge_prompts=16, evaluate__max_new_tokens=8, train__learning_rate=1e-2)
    mine = run.folder.load_manifest().kl
    sampling = Sampling(1.0, max_new_tokens=8)
    question = AnswersQuestion((str(run.path),), "bundled:preferences", most=200, sampling=sampling, kl=True)
    its = evaluate_answers(question).kl[0].found
    assert mine is not None
    assert mine.value is not None
    assert mine.standard_error is not None
    assert its is not None
    assert abs(mine.value.value - its.value.value) < 4 * mine.standard_error


def test_where_nothing_is_asked_for_nothing_is_measured(small: Small) -> None:
    manifest = small(evaluate__samples=0).folder.load_manifest()
    assert (manifest.kl, manifest.harness, manifest.answers) == (None, None, None)


@needs_harness
@pytest.mark.parametrize("adapter", [None, "lora"])
def test_benchmarks_of_a_recipe_are_those_of_evaluate(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, adapter: str | None
) -> None:
    folder = own_tasks(tmp_path, monkeypatch)
    asked = {"evaluate.harness": "tiebreak_facts", "evaluate.harness_tasks": str(folder)}
    run = small(
        model__adapter=adapter, train__learning_rate=1e-2, **{k.replace(".", "__"): v for k, v in asked.items()}
    )
    found = run.folder.load_manifest().harness
    assert isinstance(found, HarnessRecord)
    (its,) = evaluate_harness(HarnessQuestion((str(run.path),), ("tiebreak_facts",), folder=folder)).models
    assert [(row.task, row.metric) for row in found.rows] == [(row.task, row.metric) for row in its.rows]
    for mine, row in zip(found.rows, its.rows, strict=True):
        assert mine.before is not None
        assert mine.difference is not None
        assert Score(mine.after.value, mine.after.error) == row.after
        assert Score(mine.before.value, mine.before.error) == row.before
    assert found.task_versions == {"tiebreak_facts": "1.0"}


@needs_harness
def test_a_mistyped_benchmark_is_said_before_the_first_step(small: Small) -> None:
    with pytest.raises(InputError, match="nothing_of_the_kind") as problem:
        small(evaluate__harness=("nothing_of_the_kind",))
    assert "evaluate.harness" in str(problem.value)


def test_the_terminal_shows_what_else_changed(small: Small) -> None:
    run = small(evaluate__samples=2, evaluate__kl=True, evaluate__judge_prompts=2)
    said = CliRunner().invoke(app, ["runs", "show", str(run.path)]).output
    assert "what else changed" in said
    assert "KL, nats an answer" in said
