"""`tiebreak recipes`: what it prints, that a copy can be changed and run, and that none of it waits for torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tiebreak.cli.recipes import app
from tiebreak.objectives import objective_names
from tiebreak.recipe import load_recipe
from tiebreak.recipe.builtin import builtin_names, builtin_text, recipe_named


def _printed(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_built_in_recipes_are_listed_with_what_they_are() -> None:
    found = json.loads(_printed("list", "--json"))
    assert list(found) == builtin_names()
    assert "quickstart" in found
    for name, summary in found.items():
        assert f"{summary}\n" in _printed("list")
        assert name in _printed("list")


def test_a_recipe_is_shown_as_it_is_written() -> None:
    assert _printed("show", "quickstart") == builtin_text("quickstart")


def test_a_copy_is_the_same_recipe_and_nothing_is_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    _printed("copy", "quickstart", str(file))
    assert load_recipe(file) == recipe_named("quickstart") == recipe_named(str(file))
    file.write_text("train: {epochs: 2}\n")
    refused = CliRunner().invoke(app, ["copy", "quickstart", str(file)])
    assert refused.exit_code != 0
    assert "exists" in str(refused.exception)
    _printed("copy", "quickstart", str(file), "--force")
    assert load_recipe(file) == recipe_named("quickstart")


def test_keys_hold_every_setting_with_the_default_of_each_objective() -> None:
    printed = _printed("keys", "objective")
    assert printed.startswith("objective.name = sigmoid\n")
    assert "objective.beta = null\n    Strength of the pull" in printed
    assert "5.0 (sigmoid_norm)" in printed
    assert "train." not in printed
    assert "train.learning_rate = auto\n" in _printed("keys")
    assert "no section or key 'objectiv'" in str(CliRunner().invoke(app, ["keys", "objectiv"]).exception)


def test_objectives_are_listed_with_their_settings_and_papers() -> None:
    found = json.loads(_printed("objectives", "--json"))
    assert list(found) == objective_names()
    assert found["simpo"]["settings"] == {"beta": 2.0, "gamma": 1.0}
    only = _printed("objectives", "simpo", "kto")
    assert only.splitlines()[0] == "simpo (beta=2.0, gamma=1.0)  [pairs, no reference]"
    assert "kto (" in only
    assert "unpaired completions" in only
    assert "sigmoid" not in only
    assert "did you mean 'simpo'?" in str(CliRunner().invoke(app, ["objectives", "simp"]).exception)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["recipes", "list"],
        ["recipes", "show", "default"],
        ["recipes", "keys"],
        ["recipes", "objectives"],
        ["train", "--model", "gpt2", "--data", "x.jsonl", "--set", "objective.betta=1"],
    ],
)
def test_nothing_heavy_is_imported_for_what_needs_no_model(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from tiebreak.cli.main import run\n"
        "try:\n    run(sys.argv[1:])\n"
        "finally:\n"
        "    heavy = {'torch', 'transformers', 'datasets', 'gradio', 'peft'} & set(sys.modules)\n"
        "    print('HEAVY', sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == (2 if arguments[0] == "train" else 0), done.stderr
    assert done.stderr.splitlines()[-1] == "HEAVY []"


def test_keys_are_data_too() -> None:
    found = {key["key"]: key for key in json.loads(_printed("keys", "train", "--json"))}
    assert found["train.batch_size"]["default"] == 32
    assert found["train.batch_size"]["unit"] == "examples"
    assert found["train.schedule"]["schema"]["enum"] == ["linear", "cosine", "constant", "constant_with_warmup"]
    assert len(json.loads(_printed("keys", "--json"))) > len(found)
    assert [key["key"] for key in json.loads(_printed("keys", "data.seed", "--json"))] == ["data.seed"]


def test_the_key_of_another_trainer_is_explained() -> None:
    error = str(CliRunner().invoke(app, ["keys", "num_train_epochs"]).exception)
    assert "here it is 'train.epochs'" in error


def test_the_schema_is_printed_written_and_found(tmp_path: Path) -> None:
    printed = _printed("schema")
    assert json.loads(printed)["properties"]["train"]
    assert Path(_printed("schema", "--path").strip()).read_text(encoding="utf-8") == printed
    file = tmp_path / "recipe.schema.json"
    _printed("schema", str(file))
    assert file.read_text(encoding="utf-8") == printed
    assert "exists" in str(CliRunner().invoke(app, ["schema", str(file)]).exception)
