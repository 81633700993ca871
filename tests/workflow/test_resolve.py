"""A recipe is resolved in one place: every route to a run gives it the same settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import tiebreak
from tiebreak.bundled.vote import cast_votes
from tiebreak.cli.main import app
from tiebreak.engine.logprobs import Measures
from tiebreak.errors import InputError
from tiebreak.recipe import Recipe, load_recipe
from tiebreak.runs import RunFolder
from tiebreak.workflow import train as train_module
from tiebreak.workflow.loop import LoopSettings, take_turn
from tiebreak.workflow.resolve import ResolvedRecipe, judge_of, resolve

SMALL: dict[str, Any] = {
    "model.name": "bundled:base",
    "data.source": "bundled:preferences",
    "data.limit": 8,
    "data.eval_limit": 4,
    "train.max_steps": 1,
    "train.batch_size": 4,
    "evaluate.samples": 0,
    "evaluate.judge": "none",
}


class Stopped(Exception):
    """The run was resolved; nothing more is wanted of it."""


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[ResolvedRecipe]:
    """The resolved recipes of the runs that a test begins; a run ends where its work would begin."""
    found: list[ResolvedRecipe] = []

    def note(folder: RunFolder, resolved: ResolvedRecipe, *_: object, **__: object) -> None:
        found.append(resolved)
        raise Stopped

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train_module, "make_ready", note)
    return found


@pytest.fixture
def loop_votes(tmp_path: Path) -> str:
    path = str(tmp_path / "votes.db")
    cast_votes("bundled:base", path, count=4, seed=0)
    return path


def small(**changes: Any) -> Recipe:
    return Recipe().with_settings(SMALL | {key.replace("__", "."): value for key, value in changes.items()})


def by_command(*arguments: str) -> None:
    settings = [part for key, value in SMALL.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    given = ["--model", "bundled:base", "--data", "bundled:preferences"]
    CliRunner().invoke(app, [arguments[0], *given, *settings, *arguments[1:]], catch_exceptions=True)


@pytest.mark.parametrize(
    ("command", "flags", "changes", "rate"),
    [
        ("train", (), {}, 1e-6),
        ("train", ("--adapter", "lora"), {"model__adapter": "lora"}, 1e-5),
        ("train", ("--objective", "kto"), {"objective__name": "kto"}, 1e-6),
        (
            "train",
            ("--objective", "kto", "--adapter", "dora"),
            {"objective__name": "kto", "model__adapter": "dora"},
            1e-5,
        ),
        ("sft", (), {"objective__name": "supervised"}, 2e-5),
        ("sft", ("--adapter", "lora"), {"objective__name": "supervised", "model__adapter": "lora"}, 2e-4),
        ("train", ("--learning-rate", "3e-4"), {"train__learning_rate": 3e-4}, 3e-4),
        ("sft", ("--learning-rate", "1e-6"), {"objective__name": "supervised", "train__learning_rate": 1e-6}, 1e-6),
    ],
)
def test_command_python_and_recipe_file_resolve_alike(
    command: str,
    flags: tuple[str, ...],
    changes: dict[str, Any],
    rate: float,
    seen: list[ResolvedRecipe],
    tmp_path: Path,
) -> None:
    by_command(command, *flags, "--out", "by-flags")
    with pytest.raises(Stopped):
        tiebreak.train(small(**changes), out="by-python")
    (tmp_path / "recipe.yaml").write_text(small(**changes).to_yaml(), encoding="utf-8")
    CliRunner().invoke(app, ["train", "recipe.yaml", "--out", "by-file"])
    with pytest.raises(Stopped):
        tiebreak.resume("by-python")
    CliRunner().invoke(app, ["train", "--out", "by-flags", "--resume"])
    assert len(seen) == 5
    assert [each.recipe.train.learning_rate for each in seen] == [rate] * 5
    assert all(each == seen[0] for each in seen)
    assert load_recipe(Path("by-flags/recipe.yaml")) == seen[0].recipe


@pytest.mark.parametrize(
    ("changes", "rate"),
    [
        ({}, 1e-6),
        ({"model__adapter": "lora"}, 1e-5),
        ({"objective__name": "supervised", "evaluate__judge": "bundled"}, 2e-5),
        ({"objective__name": "kto", "evaluate__judge": "auto"}, 1e-6),
    ],
)
def test_a_loops_turn_takes_the_rate_of_its_task_and_adapter(
    changes: dict[str, Any], rate: float, seen: list[ResolvedRecipe], loop_votes: str, tmp_path: Path
) -> None:
    with pytest.raises(Stopped):
        take_turn(LoopSettings(tmp_path / "loop", loop_votes, small(**changes), "not-worse"))
    assert [each.recipe.train.learning_rate for each in seen] == [rate]
    assert load_recipe(tmp_path / "loop" / "recipe.yaml").train.learning_rate == "auto"


def test_a_resolved_recipe_resolves_to_itself() -> None:
    for changes in ({}, {"model__adapter": "rslora"}, {"objective__name": "simpo"}, {"objective__name": "supervised"}):
        once = resolve(small(**changes))
        assert resolve(once.recipe) == once
        assert isinstance(once.recipe.train.learning_rate, float)


@pytest.mark.parametrize(
    ("changes", "reference"),
    [
        ({}, "cached"),
        ({"train__reference": "live"}, "live"),
        ({"objective__name": "simpo"}, None),
        ({"objective__name": "simpo", "train__reference": "live"}, None),
        ({"objective__name": "supervised"}, None),
        ({"objective__name": "kto"}, "cached"),
    ],
)
def test_the_objective_says_whether_there_is_a_reference(changes: dict[str, Any], reference: str | None) -> None:
    assert resolve(small(**changes)).reference == reference


@pytest.mark.parametrize("objective", ["supervised", "kto"])
def test_a_loop_that_has_nothing_to_accept_a_model_by_does_not_begin(
    objective: str, seen: list[ResolvedRecipe], loop_votes: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no accuracy to accept a model by, and no judge"):
        take_turn(LoopSettings(tmp_path / "loop", loop_votes, small(objective__name=objective)))
    assert not seen
    assert not (tmp_path / "loop").exists()


@pytest.mark.parametrize(
    ("written", "source", "judge"),
    [
        ("auto", "bundled:preferences", "bundled"),
        ("auto", "prefs.jsonl", "none"),
        ("none", "bundled:preferences", "none"),
        ("bundled", "prefs.jsonl", "bundled"),
    ],
)
def test_the_judge_is_decided_by_the_data(written: str, source: str, judge: str) -> None:
    recipe = small(evaluate__judge=written, data__source=source)
    assert judge_of(recipe) == judge
    assert resolve(recipe).judge == judge
    assert resolve(recipe).recipe.evaluate.judge == written  # the recipe may be used with other data


def test_what_is_summed_over_tokens_is_decided_by_the_objective() -> None:
    assert resolve(small()).measures == Measures(1.0, confidence=False)
    assert resolve(small(objective__length_alpha=0.5, objective__weighting="wpo")).measures == Measures(
        0.5, confidence=True
    )
