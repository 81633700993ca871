"""The plan: rows for the steps there are, and what was found once is used again, never searched for twice."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset

from tests.architectures import ARCHITECTURES
from tests.training.small import tokenized_pairs, word_tokenizer
from tiebreak.engine.self_check import SelfCheck
from tiebreak.engine.token_budget import TokenBudget
from tiebreak.errors import InputError
from tiebreak.models.precision import Precision
from tiebreak.recipe import Recipe, TrainSection
from tiebreak.runs import RunFolder
from tiebreak.runs.manifest import DataRecord, ModelRecord, SelfCheckRecord
from tiebreak.tasks import TASKS
from tiebreak.training.arguments import Length, pairs_a_step
from tiebreak.training.examples import Groups
from tiebreak.workflow import plan as module
from tiebreak.workflow.data import RunData
from tiebreak.workflow.model import RunModel
from tiebreak.workflow.plan import make_plan, rows_needed
from tiebreak.workflow.resolve import ResolvedRecipe, resolve

LENGTH = Length(steps=3, steps_an_epoch=3)
FOUND = SelfCheck("tree", 1e-6, "trees agree", 0.5)
MEASURED = TokenBudget(
    tokens=640,
    bytes_per_token=1000,
    measured_tokens=200,
    free_bytes=10**9,
    reserved_bytes=10**8,
    fixed_bytes=10**6,
    memory_share=0.5,
)


def recipe_of(**train: Any) -> Recipe:
    return Recipe().with_settings({f"train.{name}": value for name, value in train.items()})


def resolved_of(**train: Any) -> ResolvedRecipe:
    return resolve(recipe_of(**train))


def groups_of(rows: int) -> Groups:
    return Groups(tokenized_pairs(rows), TASKS["preference"])


def data_of(rows: int) -> RunData:
    nothing = Dataset.from_list([])
    return RunData(groups_of(rows), None, nothing, nothing, word_tokenizer(), "chat", DataRecord(source="pairs.jsonl"))


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(Recipe(), tmp_path / "run")


@pytest.fixture
def model() -> RunModel:
    return RunModel(ARCHITECTURES["gpt2"](), torch.device("cpu"), Precision("fp32", "as set"), ModelRecord(name="gpt2"))


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was searched for, in order; it is found at once."""
    calls: list[str] = []

    def check(*_: object, **__: object) -> SelfCheck:
        calls.append("path")
        return FOUND

    def budget(*_: object, **__: object) -> TokenBudget:
        calls.append("budget")
        return MEASURED

    monkeypatch.setattr(module, "self_check", check)
    monkeypatch.setattr(module, "token_budget", budget)
    return calls


def rows_of(data: RunData) -> list[int]:
    return [group.row for group in data.train]


@pytest.mark.parametrize(
    ("train", "rows"),
    [
        ({"max_steps": 2}, 8),
        ({"max_steps": 2, "gradient_accumulation": 2}, 16),
        ({"epochs": 0.5}, 12),
        ({"max_steps": 5}, 20),
        ({"max_steps": 100}, 20),
        ({"epochs": 1}, 20),
        ({"epochs": 3}, 20),
    ],
)
def test_a_run_shorter_than_a_pass_needs_as_many_rows_as_it_has_steps_for(train: dict[str, Any], rows: int) -> None:
    whole = data_of(20)
    needed, length = rows_needed(whole, TrainSection(batch_size=4, **train))
    assert length.steps_an_epoch == math.ceil(20 / pairs_a_step(TrainSection(batch_size=4, **train)))
    assert len(needed.train) == rows
    assert (needed is whole) == (rows == 20)
    assert len(set(rows_of(needed))) == rows


def test_the_rows_of_a_short_run_are_drawn_by_its_seed_or_the_first() -> None:
    def drawn(**train: Any) -> list[int]:
        return rows_of(rows_needed(data_of(40), TrainSection(**{"batch_size": 4, "max_steps": 2} | train))[0])

    assert drawn() == drawn()
    assert drawn() != drawn(seed=1)
    assert drawn(max_steps=3)[:8] == drawn()  # a longer run sees what a shorter one saw
    assert drawn(shuffle=False) == list(range(8))


def test_path_and_budget_are_found_and_recorded(folder: RunFolder, model: RunModel, searched: list[str]) -> None:
    plan = make_plan(folder, resolved_of(), model, groups_of(4), LENGTH)
    assert searched == ["path", "budget"]
    assert (plan.scorer.path, plan.scorer.budget, plan.scorer.autocast) == ("tree", 640, None)
    assert plan.length == LENGTH
    manifest = folder.load_manifest()
    assert manifest.self_check == plan.check
    assert manifest.tokens_per_microbatch == 640
    assert manifest.budget is not None
    assert (manifest.budget.measured_tokens, manifest.budget.fixed_bytes, manifest.budget.memory_share) == (
        *(200, 10**6),
        0.5,
    )


@pytest.mark.parametrize(("written", "given"), [("auto", None), (0.25, 0.25), (1, 1.0)])
def test_the_share_of_the_memory_is_that_of_the_recipe(
    written: Any, given: float | None, folder: RunFolder, model: RunModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def budget(*_: object, share: float | None, **__: object) -> TokenBudget:
        asked.append(share)
        return MEASURED

    monkeypatch.setattr(module, "token_budget", budget)
    make_plan(folder, resolved_of(memory_share=written, path="padded"), model, groups_of(4), LENGTH)
    assert asked == [given]


def test_the_measured_budget_of_a_cpu_leaves_half_of_the_memory(folder: RunFolder, model: RunModel) -> None:
    make_plan(folder, resolved_of(path="padded"), model, groups_of(4), LENGTH)
    found = folder.load_manifest().budget
    assert found is not None
    assert found.memory_share == 0.5


def test_a_resumed_run_goes_on_with_what_was_found(folder: RunFolder, model: RunModel, searched: list[str]) -> None:
    first = make_plan(folder, resolved_of(), model, groups_of(4), LENGTH)
    folder.update_manifest(tokens_per_microbatch=320)  # memory ran out once
    again = make_plan(folder, resolved_of(), model, groups_of(4), LENGTH)
    assert searched == ["path", "budget"]
    assert again.check == first.check
    assert again.scorer == replace(first.scorer, budget=320)


@pytest.mark.parametrize("budget", [1, 4096])
def test_a_fixed_budget_is_taken_as_it_is(budget: int, folder: RunFolder, model: RunModel, searched: list[str]) -> None:
    recipe = recipe_of(tokens_per_microbatch=budget)
    assert make_plan(folder, resolve(recipe), model, groups_of(4), LENGTH).scorer.budget == budget
    assert searched == ["path"]
    assert folder.load_manifest().tokens_per_microbatch == budget
    assert folder.load_manifest().budget is None


def test_a_fixed_budget_that_was_too_large_stays_smaller(
    folder: RunFolder, model: RunModel, searched: list[str]
) -> None:
    folder.update_manifest(tokens_per_microbatch=2048)
    recipe = recipe_of(tokens_per_microbatch=4096)
    assert make_plan(folder, resolve(recipe), model, groups_of(4), LENGTH).scorer.budget == 2048


def test_padded_batches_as_set_are_not_checked(folder: RunFolder, model: RunModel, searched: list[str]) -> None:
    plan = make_plan(folder, resolved_of(path="padded"), model, groups_of(4), LENGTH)
    assert searched == ["budget"]
    assert (plan.scorer.path, plan.check.difference) == ("padded", None)


def test_trees_that_the_model_cannot_take_are_refused_where_they_are_asked_for(
    folder: RunFolder, model: RunModel, searched: list[str]
) -> None:
    found = SelfCheckRecord(path="padded", difference=0.3, reason="trees differ by 0.3 nats a token", seconds=1.0)
    folder.update_manifest(self_check=found)
    with pytest.raises(InputError, match=r"trees differ by 0\.3 nats") as refused:
        make_plan(folder, resolved_of(path="tree"), model, groups_of(4), LENGTH)
    assert refused.value.where == "train.path"
    assert make_plan(folder, resolved_of(path="auto"), model, groups_of(4), LENGTH).scorer.path == "padded"


def test_the_check_is_of_this_model_and_data(folder: RunFolder, model: RunModel) -> None:
    recipe = recipe_of(tokens_per_microbatch=512)
    plan = make_plan(folder, resolve(recipe), model, groups_of(4), LENGTH)
    assert plan.check.path == "tree"
    assert plan.check.difference is not None
    assert plan.check.difference < 1e-3


@pytest.mark.parametrize(
    ("objective", "alpha", "confidence"),
    [({}, 1.0, False), ({"length_alpha": 0.25}, 0.25, False), ({"weighting": "wpo"}, 1.0, True)],
)
def test_the_objective_says_what_is_summed(objective: dict[str, Any], alpha: float, confidence: bool) -> None:
    measures = resolve(Recipe(objective=objective)).measures
    assert (measures.length_alpha, measures.confidence) == (alpha, confidence)
