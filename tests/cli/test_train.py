"""`tiebreak train` and `tiebreak sft`: flags become keys of the recipe, and a resumed run takes none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tiebreak.cli.main import app
from tiebreak.cli.train import parsed_settings
from tiebreak.errors import InputError
from tiebreak.recipe import Recipe
from tiebreak.runs import RunFolder
from tiebreak.workflow import train as workflow
from tiebreak.workflow.run import Run

BOTH = ["--model", "bundled:base", "--data", "bundled:preferences"]


class Called(Exception):
    """The command did what it was asked; what follows is not of interest."""


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the command hands on: the recipe and the folder of a new run, or the folder of one to resume."""
    found: dict[str, Any] = {}

    def train(
        recipe: Recipe,
        *,
        out: Path | None = None,
        progress: object = None,
        resume_or_start: bool = False,
        anyway: bool = False,
    ) -> Run:
        found.update(recipe=recipe, out=out)
        raise Called

    def resume(path: Path, *, progress: object = None) -> Run:
        found.update(resumed=path)
        raise Called

    monkeypatch.setattr(workflow, "train", train)
    monkeypatch.setattr(workflow, "resume", resume)
    monkeypatch.chdir(tmp_path)
    for name in ("held_out.jsonl", "prefs.jsonl"):
        Path(name).write_text("{}")
    return found


def asked(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def refused(*arguments: str) -> InputError:
    error = asked(*arguments).exception
    assert isinstance(error, InputError), error
    return error


@pytest.mark.parametrize(
    ("flags", "settings"),
    [
        ("--beta 0.3", {"objective.beta": 0.3}),
        ("--objective simpo", {"objective.name": "simpo"}),
        ("--learning-rate 1e-5 --epochs 2", {"train.learning_rate": 1e-5, "train.epochs": 2.0}),
        ("--batch-size 8 --max-steps 3", {"train.batch_size": 8, "train.max_steps": 3}),
        ("--precision bf16 --seed 7", {"train.precision": "bf16", "train.seed": 7}),
        ("--limit 9 --max-length 64", {"data.limit": 9, "data.max_length": 64}),
        ("--eval-data held_out.jsonl --schema text", {"data.eval_source": "held_out.jsonl", "data.schema": "text"}),
        ("--skip-bad-rows", {"data.skip_bad_rows": True}),
        ("--adapter dora --quantize nf4", {"model.adapter": "dora", "model.quantize": "nf4"}),
        ("--track wandb --track mlflow", {"track": ["wandb", "mlflow"]}),
        ("--set train.warmup_ratio=0.2 --set data.limit=null", {"train.warmup_ratio": 0.2, "data.limit": None}),
        ("--limit 9 --set data.limit=9", {"data.limit": 9}),
        ("--set data.limit=4 --set data.limit=5", {"data.limit": 5}),
    ],
)
def test_a_flag_is_a_key(flags: str, settings: dict[str, Any], given: dict[str, Any]) -> None:
    assert isinstance(asked("train", *BOTH, *flags.split(), "--out", "runs/mine").exception, Called)
    named = {"model.name": "bundled:base", "data.source": "bundled:preferences"}
    assert given["recipe"] == Recipe().with_settings({**named, **settings})
    assert given["out"] == Path("runs/mine")


def test_sft_is_training_on_demonstrations(given: dict[str, Any]) -> None:
    asked("sft", *BOTH, "--epochs", "2")
    assert given["recipe"].objective.name == "supervised"
    assert given["out"] is None


def test_flags_change_a_recipe_and_leave_the_rest_of_it(given: dict[str, Any]) -> None:
    Path("mine.yaml").write_text("model: gpt2\ndata: {source: prefs.jsonl, limit: 50}\ntrain: {epochs: 3}\n")
    asked("train", "mine.yaml", "--limit", "10")
    recipe = given["recipe"]
    assert (recipe.model.name, recipe.data.source, recipe.data.limit, recipe.train.epochs) == (
        "gpt2",
        "prefs.jsonl",
        10,
        3,
    )


@pytest.mark.parametrize("command", ["train", "sft"])
def test_without_a_recipe_model_and_data_are_named(command: str, given: dict[str, Any]) -> None:
    for flags in ([], BOTH[:2], BOTH[2:]):
        error = refused(command, *flags)
        assert error.what == "Name a model and the data to train it on."
        assert f"tiebreak {command} --model" in str(error.fix)
    assert not given


def test_a_resumed_run_keeps_its_recipe(given: dict[str, Any]) -> None:
    for more in (["--beta", "1"], ["quickstart"], ["--set", "train.epochs=2"]):
        assert refused("train", *more, "--resume", "--out", "runs/mine").what == "A resumed run keeps its own recipe."
    assert refused("train", "--beta", "1", "--resume").where == "objective.beta"
    RunFolder.create(Recipe(), Path("runs/mine"))
    for command in ("train", "sft"):  # sft sets the objective itself, not the user
        asked(command, "--resume", "--out", "runs/mine")
        assert given.pop("resumed") == Path("runs/mine")


def test_the_newest_unfinished_run_is_resumed_where_none_is_named(given: dict[str, Any]) -> None:
    assert "no unfinished run" in refused("train", "--resume").what
    for name, status in (("done", "finished"), ("cut", "interrupted")):
        folder = RunFolder.create(Recipe(), Path("runs", name))
        folder.update_manifest(status=status, created="2026-01-01T00:00:00+00:00")
    asked("train", "--resume")
    assert given["resumed"] == Path("runs/cut")


def test_settings_are_keys_with_values() -> None:
    assert parsed_settings(["a.b=1e-3", " c =x=y", "d=null", "e="], {}) == {
        "a.b": 1e-3,
        "c": "x=y",
        "d": None,
        "e": None,
    }
    for setting in ("a.b", "=1"):
        with pytest.raises(InputError, match="is not KEY=VALUE"):
            parsed_settings([setting], {})


@pytest.mark.parametrize(
    ("command", "flags", "said"),
    [
        ("train", "--limit 9 --set data.limit=5", "data.limit is given two values: 9 and 5."),
        ("train", "--limit 9 --set data.limit=null", "data.limit is given two values: 9 and null."),
        ("train", "--model gpt2 --set model.name=a", "model.name is given two values: gpt2 and a."),
        ("sft", "--set objective.name=sigmoid", "objective.name is given two values: supervised and sigmoid."),
        ("loop", "--data a --set data.source=b", "data.source is given two values: a and b."),
    ],
)
def test_a_key_with_two_values_is_refused(
    command: str, flags: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    result = asked(command, *flags.split())
    assert isinstance(result.exception, InputError)
    assert result.exception.what == said
    assert result.exception.fix == "give it once"
