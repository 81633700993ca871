"""One table of tasks: each entry runs from rows to a report, and one more entry is all that another task takes."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.conftest import small_recipe
from tiebreak.data.forms.recognise import WrongTask, named
from tiebreak.data.forms.registry import Forms
from tiebreak.data.load import load_for
from tiebreak.data.preference import better_and_worse, completions_of, row_class
from tiebreak.data.preparing.gather import gather
from tiebreak.data.preparing.templates import choose_template
from tiebreak.data.profile.measure import profile
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.engine.score import Scorer
from tiebreak.metrics import keeps_best, shown_in
from tiebreak.models.load import load_tokenizer
from tiebreak.objectives import objective_named, objective_names, task_of_objective
from tiebreak.recipe import DataSection, Recipe
from tiebreak.tasks import TASKS, Task, TaskName, load_part
from tiebreak.training.arguments import length_of, training_arguments
from tiebreak.training.examples import Examples, Groups
from tiebreak.training.tree_trainer import TreeTrainer
from tiebreak.workflow.model import prepare_model
from tiebreak.workflow.resolve import resolve, task_of
from tiebreak.workflow.train import train

BUNDLED = SourceSpec("bundled:preferences")


def objective_of(task: Task) -> str:
    """An objective that learns from this."""
    names = (name for name in objective_names() if objective_named(name).task == task.name)
    return task.fixed_objective or next(names)


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_every_part_that_a_task_names_is_there(task: Task) -> None:
    forms = load_part(task.forms)
    assert isinstance(forms, Forms)
    assert set(forms.own) <= set(forms.known)
    assert callable(load_part(task.encoder))
    assert issubclass(load_part(task.trainer), TreeTrainer)
    columns = [field.name for field in dataclasses.fields(row_class(task.name))]
    assert ("label" in columns) == task.has_label
    assert set(task.text_columns) <= set(columns)
    assert set(task.text_columns) <= set(task.completions)
    assert shown_in(task.table)
    assert shown_in(task.card)
    assert "eval_loss" in keeps_best(task)
    words = dataclasses.asdict(task.words)
    assert all(said for name, said in words.items() if name != "limit")
    assert "{data}" in task.words.training


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_a_task_runs_from_rows_to_a_report(task: Task, tmp_path: Path) -> None:
    run = train(small_recipe(objective__name=objective_of(task), train__max_steps=2), out=tmp_path / "run")
    manifest = run.folder.load_manifest()
    assert (manifest.status, manifest.task) == ("finished", task.name)
    losses = [row["loss"] for row in run.history if "loss" in row]
    assert len(losses) == 2
    assert all(math.isfinite(loss) for loss in losses)
    assert set(keeps_best(task)) <= set(manifest.after or {})
    report, card = run.folder.report_path.read_text(), (run.folder.model / "README.md").read_text()
    for metric, shown in shown_in(task.table):
        if metric.source == "logged":
            assert shown.label in report, metric.name
            assert shown.label in card, metric.name
    assert task.examples in card
    assert task.words.training.split("{data}")[0] in card
    for other in TASKS.values():
        assert other is task or other.words.training.split("{data}")[0] not in card
    sample = json.loads(run.folder.samples_path.read_text())[0]
    assert sample["chosen"] or sample["rejected"]


@pytest.mark.parametrize("task", TASKS)
def test_an_objective_says_the_task_and_so_does_a_recipe(task: TaskName) -> None:
    recipe = Recipe(objective=objective_of(TASKS[task]))
    assert task_of(recipe) is recipe.known_task is task_of_objective(recipe.objective.name) is TASKS[task]


def test_every_objective_says_one_task() -> None:
    assert {name for name in objective_names() if task_of_objective(name) is TASKS["unpaired"]} == {"kto"}
    assert {task_of_objective(name) for name in objective_names()} == {TASKS["preference"], TASKS["unpaired"]}
    assert task_of_objective("nowhere:loss", load=False) is None


@pytest.mark.parametrize(
    ("task", "row", "found", "sides"),
    [
        ("preference", {"chosen": "a", "rejected": "b"}, {"chosen": "a", "rejected": "b"}, ("a", "b")),
        ("unpaired", {"completion": "a", "label": True}, {"good": "a"}, ("a", None)),
        ("unpaired", {"completion": "a", "label": False}, {"bad": "a"}, (None, "a")),
        ("supervised", {"completion": "a"}, {"completion": "a"}, ("a", None)),
        ("supervised", {"completion": ""}, {"completion": ""}, ("", None)),
    ],
)
def test_the_completions_of_a_row(
    task: TaskName, row: dict[str, Any], found: dict[str, str], sides: tuple[str | None, str | None]
) -> None:
    assert completions_of(row, TASKS[task]) == found
    assert better_and_worse(row, TASKS[task]) == sides


@pytest.mark.parametrize("found", TASKS)
@pytest.mark.parametrize("wanted", TASKS)
def test_a_refusal_says_what_the_rows_are_and_what_to_do(found: TaskName, wanted: TaskName) -> None:
    error = str(WrongTask(found, wanted, "data.jsonl"))
    assert TASKS[found].words.found in error
    assert TASKS[found].words.use in error
    assert TASKS[wanted].words.give in error


@pytest.fixture
def fourth(monkeypatch: pytest.MonkeyPatch) -> Task:
    """A task that is in no other table: labelled rows, all of which are imitated."""
    name: TaskName = "every answer"  # type: ignore[assignment]
    task = dataclasses.replace(
        TASKS["unpaired"],
        name=name,
        completions=("completion",),
        trainer=TASKS["supervised"].trainer,
        fixed_objective="imitation",
        compares=False,
        table=TASKS["supervised"].table,
        card=TASKS["supervised"].card,
        words=dataclasses.replace(TASKS["unpaired"].words, example="answer", examples="answers"),
        learning_rate=3e-4,
    )
    monkeypatch.setitem(TASKS, name, task)
    return task


def test_one_more_entry_is_read_selected_and_profiled(fourth: Task, tmp_path: Path) -> None:
    loaded = load_for(BUNDLED, fourth.name, max_rows=20)
    assert (loaded.task, len(loaded.dataset)) == (fourth.name, 40)
    assert {"completion", "label"} <= set(loaded.dataset.column_names)
    assert named("unpaired", fourth.name).name == "unpaired"
    seen = profile(loaded)
    assert (seen.to_json()["kind"], seen.labels) == (fourth.name, {"good": 20, "bad": 20})
    assert {"good", "bad"} <= set(seen.lengths)
    empty = tmp_path / "data.jsonl"
    empty.write_text(json.dumps({"prompt": "a", "completion": "b", "label": True}) + "\n")
    _, selection = gather(DataSection(source=str(empty), eval_fraction=0.0), task=fourth.name)
    assert selection.report.labels == {"good": 1, "bad": 0}


def test_one_more_entry_is_trained(fourth: Task, tmp_path: Path) -> None:
    recipe = small_recipe(objective__name="imitation", train__max_steps=2, train__learning_rate="auto")
    resolved = resolve(recipe)
    assert (resolved.task, resolved.objective, resolved.reference) == (fourth, None, None)
    assert resolved.recipe.train.learning_rate == fourth.learning_rate
    tokenizer = load_tokenizer("bundled:base")
    _, selection = gather(recipe.data, task=fourth.name)
    tokens = load_part(fourth.encoder)(selection.train, tokenizer, template=choose_template(tokenizer)).dataset
    groups = Groups(tokens, fourth)
    assert len(groups[0].completions) == 1
    length = length_of(resolved.recipe.train, len(groups))
    trainer: TreeTrainer = load_part(fourth.trainer)(
        prepare_model(resolved.recipe).model,
        training_arguments(
            resolved.recipe.train, length, output=tmp_path, device="cpu", held_out=False, task=resolved.task
        ),
        scorer=Scorer(),
        train=Examples(groups),
        held_out=None,
        tokenizer=tokenizer,
    )
    trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert len(losses) == 2
    assert all(math.isfinite(loss) for loss in losses)
