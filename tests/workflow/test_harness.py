"""Benchmarks from a question to figures: a run beside its base, any model beside another, by the command line too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from tests.evaluate.harness.folder import needs_harness, own_tasks
from tiebreak.cli.main import app
from tiebreak.errors import InputError
from tiebreak.models.load import load_model, load_tokenizer
from tiebreak.recipe import Recipe
from tiebreak.runs import RunFolder
from tiebreak.workflow.harness import HarnessQuestion, evaluate_harness

pytestmark = needs_harness

BASE = "bundled:base"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run whose model answers otherwise than its base, the bundled model."""
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    model = load_model(BASE)
    torch.manual_seed(0)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.3 * weights.std() * torch.randn_like(weights))
    model.save_pretrained(folder.model)
    load_tokenizer(BASE).save_pretrained(folder.model)
    folder.recipe_path.write_text(Recipe.model_validate({"model": BASE, "data": "bundled:preferences"}).to_yaml())
    return str(folder.path)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return own_tasks(tmp_path, monkeypatch)


def test_a_run_stands_beside_its_base(run: str, folder: Path) -> None:
    found = evaluate_harness(HarnessQuestion((run,), ("tiebreak_facts",), folder=folder))
    (one,) = found.models
    assert (one.model, one.against, one.cut) == (run, BASE, 0)
    assert [row.name for row in one.rows] == ["acc", "acc_norm"]
    (base,) = evaluate_harness(HarnessQuestion((BASE,), ("tiebreak_facts",), folder=folder)).models
    assert base.against is None
    for row, other in zip(one.rows, base.rows, strict=True):
        assert row.before == other.after
        assert other.difference is None
        assert row.difference is not None
        assert row.difference.value == pytest.approx(row.after.value - other.after.value)
        assert row.difference.error is not None
    assert found.task_versions == {"tiebreak_facts": "1.0"}
    assert json.loads(json.dumps(found.to_json()))["models"][0]["rows"][0]["task"] == "tiebreak_facts"


def test_what_is_not_finite_is_null_in_json(folder: Path) -> None:
    question = HarnessQuestion((BASE,), ("tiebreak_facts_read",), folder=folder, limit=1)
    found = evaluate_harness(question)
    (row,) = found.to_json()["models"][0]["rows"]
    assert row["after"]["error"] is None
    assert row["documents"] == 1


def test_a_model_is_not_compared_with_itself(folder: Path) -> None:
    with pytest.raises(InputError, match="compared with itself"):
        evaluate_harness(HarnessQuestion((BASE,), ("tiebreak_facts",), against=BASE, folder=folder))


def test_the_command_shows_a_table_json_alone_and_a_page(run: str, folder: Path) -> None:
    flags = ["evaluate", BASE, "--against", run, "--harness", "tiebreak_facts", "--harness-tasks", str(folder)]
    shown = CliRunner().invoke(app, [*flags, "--harness-limit", "4", "--out", "page.html"])
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert lines[0].endswith(f": {BASE} against {run}, the first 4 documents of each task")
    assert lines[1].split() == ["task", "metric", "documents", "before", "after", "difference"]
    assert [line.split()[:3] for line in lines[2:]] == [["tiebreak_facts", name, "4"] for name in ("acc", "acc_norm")]
    assert "tiebreak_facts: acc_norm" in Path("page.html").read_text()
    plain = CliRunner().invoke(app, [*flags, "--harness-limit", "4", "--json"])
    found = json.loads(plain.stdout)
    assert list(found) == ["harness"]
    assert found["harness"]["models"][0]["against"] == run


def test_what_the_code_of_a_task_prints_is_not_in_the_json(folder: Path) -> None:
    (folder / "loud.py").write_text("def read(docs):\n    print('loud')\n    return docs\n")
    path = folder / "facts.yaml"
    path.write_text(path.read_text() + "process_docs: !function loud.read\n")
    flags = ["evaluate", BASE, "--harness", "tiebreak_facts", "--harness-tasks", str(folder), "--harness-limit", "1"]
    found = CliRunner().invoke(app, [*flags, "--json"])
    assert found.exit_code == 0, found.output
    assert "loud" in found.stderr
    assert json.loads(found.stdout)["harness"]["limit"] == 1


def test_a_mistyped_task_is_found_before_a_model_is_loaded(folder: Path) -> None:
    flags = ["evaluate", "ann/no-such-model", "--harness", "tiebreak_fact", "--harness-tasks", str(folder)]
    error = CliRunner().invoke(app, flags).exception
    assert isinstance(error, InputError)
    assert "no task 'tiebreak_fact'" in str(error)
    assert "did you mean 'tiebreak_facts'" in str(error)
