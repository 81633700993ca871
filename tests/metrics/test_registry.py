"""One list of metrics, which every place that shows metrics reads, and which knows every name that a run records."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_tasks import objective_of
from tests.workflow.conftest import small_recipe
from tiebreak.metrics import ACCURACY, COORDINATES, HELD_OUT, METRICS, keeps_best, metric_named, shown_in, written
from tiebreak.runs.metrics_file import read_metrics
from tiebreak.tasks import TASKS, Task
from tiebreak.workflow.train import train

LISTINGS = (
    *("progress", "held-out progress", "steps", "compare", "evaluate"),
    *dict.fromkeys(listing for task in TASKS.values() for listing in (task.table, task.card)),
)
PAIRS = (
    *("eval_loss", "eval_rewards/accuracies", "eval_rewards/margins", "eval_rewards/chosen", "eval_rewards/rejected"),
    *("eval_logps/accuracies", "eval_logps/chosen", "eval_logps/rejected"),
)


def test_every_metric_has_a_name_of_its_own_and_a_meaning() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert metric.meaning.endswith("."), metric.name
        assert metric.format(None) == "–", metric.name
        assert metric_named(metric.name) is metric


def test_the_best_model_can_be_kept_by_what_a_task_measures_and_has_a_better_way() -> None:
    assert keeps_best(TASKS["preference"]) == PAIRS
    assert keeps_best(TASKS["unpaired"]) == tuple(name for name in PAIRS if "accuracies" not in name)
    assert keeps_best(TASKS["supervised"]) == ("eval_loss",)
    for task in TASKS.values():
        for name in keeps_best(task):
            assert metric_named(name).recorded == name
            assert metric_named(name).better is not None


@pytest.mark.parametrize("listing", LISTINGS)
def test_every_listing_has_an_order_without_ties(listing: str) -> None:
    ranks = [shown.rank for _, shown in shown_in(listing)]
    assert ranks
    assert len(set(ranks)) == len(ranks)


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({"rewards/accuracies": 0.0, "rewards/margins": 0.0}, "–"),
        ({"rewards/accuracies": 0.4, "rewards/margins": 2e-8}, "–"),  # rounding
        ({"rewards/accuracies": 0.0, "rewards/margins": -0.5}, "0.0%"),
        ({"rewards/accuracies": 0.0}, "0.0%"),
        ({"rewards/margins": 1.0}, "–"),
        ({"rewards/accuracies": 1.0, "rewards/margins": 1e-4}, "100.0%"),
        ({"rewards/accuracies": 1.0, "rewards/margins": None}, "100.0%"),
    ],
)
@pytest.mark.parametrize("prefix", ["", HELD_OUT])
def test_an_accuracy_of_ties_is_a_dash(row: dict[str, float | None], shown: str, prefix: str) -> None:
    assert written(ACCURACY, {prefix + name: value for name, value in row.items()}, prefix) == shown
    assert written(ACCURACY, {f"other_{name}": value for name, value in row.items()}, prefix) == "–"


def test_a_metric_is_listed_nowhere_else() -> None:
    for metric in METRICS:
        assert set(metric.shown) <= set(LISTINGS), metric.name


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_a_table_shows_only_what_its_task_measures(task: Task) -> None:
    for metric, shown in shown_in(task.table):
        assert shown.label
        assert shown.hint
        assert metric.source == "judge" or metric.recorded in keeps_best(task)


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_every_name_that_a_run_records_is_in_the_list(task: Task, tmp_path: Path) -> None:
    run = train(
        small_recipe(objective__name=objective_of(task), train__max_steps=2, evaluate__judge="bundled"),
        out=tmp_path / "run",
    )
    logged = {name for row in read_metrics(run.folder.metrics_path) for name in row} - set(COORDINATES)
    assert {"loss", "grad_norm", "learning_rate", "eval_loss"} <= logged
    for name in logged:
        metric = metric_named(name)
        assert metric.source in ("logged", "speed")
        if name.startswith(HELD_OUT):
            assert metric.held_out is not None, f"{name} is logged"
            assert metric.held_out(task), f"{name} is logged"
    own = [metric for metric in METRICS if metric.of is None and metric.held_out is not None and metric.held_out(task)]
    assert {name for name in logged if name.startswith(HELD_OUT)} == {metric.recorded for metric in own}
    manifest, final = run.folder.load_manifest(), {metric.recorded for metric in own if metric.source == "logged"}
    assert set(manifest.after or {}) == final
    assert set(manifest.before or {}) <= final
    for metric in METRICS:
        if metric.source in ("judge", "time"):
            assert manifest.final(metric.recorded) is not None, metric.name
            assert (manifest.final(metric.recorded, "before") is not None) == metric.before, metric.name


def test_the_direction_is_that_of_the_held_out_metric() -> None:
    found = {name: metric_named(name).better for name in ("eval_loss", "eval_rewards/rejected", "eval_rewards/chosen")}
    assert found == {"eval_loss": "lower", "eval_rewards/rejected": "lower", "eval_rewards/chosen": "higher"}
    with pytest.raises(KeyError):
        metric_named("eval_nothing")


def test_the_list_loads_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "numpy", "pydantic", "rich")
    code = f"import sys, tiebreak.metrics; print([name for name in {heavy!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
