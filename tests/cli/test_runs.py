"""`tiebreak runs`: results on stdout, talk on stderr, JSON where it is asked for."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.report.made import make_run, manifest_of, metric_rows, recorded, supervised_manifest
from tiebreak.cli.runs import app
from tiebreak.errors import InputError


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def call(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def made(name: str, age: int = 0, **settings: object) -> None:
    run = make_run(Path("runs") / name, **{"manifest": manifest_of(), "rows": metric_rows(), **settings})  # type: ignore[arg-type]
    moment = 1_700_000_000 - age
    os.utime(run.recipe_path, (moment, moment))


def test_list_is_newest_first() -> None:
    made("older", age=100)
    made("newer")
    result = call("list")
    assert result.exit_code == 0
    assert result.stdout.index("newer") < result.stdout.index("older")
    assert "81.2%" in result.stdout
    assert "0.4312" in result.stdout


def test_list_of_nothing_says_so_on_stderr() -> None:
    result = call("list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "tiebreak quickstart" in result.stderr


def test_list_as_json_is_only_json() -> None:
    assert json.loads(call("list", "--json").stdout) == []
    made("one", manifest=supervised_manifest())
    (found,) = json.loads(call("list", "--json").stdout)
    assert (found["name"], found["status"], found["accuracy"], found["loss"]) == ("one", "finished", None, 1.87)


def test_json_has_no_nan() -> None:
    made("one", manifest=recorded(after={"eval_loss": math.nan}))
    stdout = call("show", "one", "--json").stdout
    found = json.loads(stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert found["manifest"]["after"]["eval_loss"] is None
    assert found["recipe"]["train"]["batch_size"] == 32


def test_show_says_how_the_run_went() -> None:
    made("one")
    stdout = call("show", "runs/one").stdout
    assert "The trained model answers better than the model it started from." in stdout
    assert "88.4% (84.9–91.2%)" in stdout
    assert "too long" in stdout


def test_show_has_the_table_of_the_steps_and_writes_it() -> None:
    made("one")
    result = call("show", "one", "--table", "--out", "steps.csv")
    assert result.exit_code == 0, result.stderr
    assert "training loss" in result.stdout
    assert "The trained model" not in result.stdout
    assert "held-out data" in result.stderr
    rows = Path("steps.csv").read_text().splitlines()
    assert rows[0].startswith("step,epoch,training loss,validation loss,")
    assert len(json.loads(call("show", "one", "--table", "--json").stdout)) == len(rows) - 1
    refused = call("show", "one", "--table", "--out", "steps.csv").exception
    assert isinstance(refused, InputError)
    assert "--force" in str(refused)
    assert call("show", "one", "--table", "--out", "steps.md", "--force").exit_code == 0
    assert Path("steps.md").read_text().startswith("| step | epoch |")


def test_a_file_of_the_table_is_asked_for_with_the_table() -> None:
    made("one")
    refused = call("show", "one", "--out", "steps.csv").exception
    assert isinstance(refused, InputError)
    assert refused.fix == "add --table, or name a file that ends in .html"


def test_the_report_is_written_elsewhere() -> None:
    made("one")
    result = call("show", "one", "--out", "report.html")
    assert result.exit_code == 0, result.stderr
    assert "Written to report.html." in result.stderr
    assert "The trained model answers better" in result.stdout
    assert Path("report.html").read_text().startswith("<!doctype html>")
    for words, said in (
        (["--out", "report.html"], "--force"),
        (["--out", "report.pdf"], "ends in .html"),
        (["--out", "nowhere/report.html"], "no folder 'nowhere'"),
        (["--table", "--out", "steps.html"], "leave --table out"),
    ):
        refused = call("show", "one", *words).exception
        assert isinstance(refused, InputError)
        assert said in str(refused)
    assert call("show", "one", "--out", "report.html", "--force").exit_code == 0


def test_compare_writes_a_page_and_has_intervals_of_what_differs() -> None:
    made("one")
    after = {"eval_loss": 0.3, "eval_rewards/accuracies": 0.85, "eval_rewards/margins": 1.382}
    made("two", manifest=manifest_of(after=after), recipe={"train": {"seed": 1}})
    result = call("compare", "one", "two", "--out", "compare.html")
    assert result.exit_code == 0, result.stderr
    assert "2 runs beside each other" in Path("compare.html").read_text()
    assert "81.2% (77.1–84.8%)  85.0% (81.2–88.2%)" in result.stdout
    assert "eval_rewards/margins" not in result.stdout
    assert "These are the same in all runs: eval_rewards/margins, judge.pass_rate, " in result.stderr


def test_many_runs_are_compared_with_a_word_on_the_page() -> None:
    for number in range(9):
        made(f"run-{number}", recipe={"train": {"seed": number}})
    assert "9 runs are many for a terminal" in call("compare", *(f"run-{n}" for n in range(9))).stderr
    assert "many for a terminal" not in call("compare", *(f"run-{n}" for n in range(8))).stderr


def test_the_table_of_a_run_without_steps_says_so() -> None:
    made("one", rows=[])
    result = call("show", "one", "--table")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "No step was logged yet." in result.stderr


def test_show_works_on_a_run_that_has_not_begun() -> None:
    make_run(Path("runs/empty"), model=False)
    result = call("show", "empty")
    assert result.exit_code == 0
    assert "The run has not begun." in result.stdout


def test_a_damaged_run_is_listed_and_shown_with_what_is_wrong() -> None:
    made("one")
    made("two", manifest={"version": 2, "status": "finished", "model": {"parameters": 3}})
    assert "damaged" in call("list").stdout
    error = call("show", "two").exception
    assert isinstance(error, InputError)
    assert "The manifest is damaged: model.name: Field required." in str(error)
    assert str(Path("runs/two/manifest.json")) in str(error)
    assert call("show", "one").exit_code == 0


def test_json_of_an_older_run_is_that_of_the_newest_form() -> None:
    older = {key: value for key, value in recorded(kind="labelled").items() if key not in ("version", "task")}
    made("one", manifest=older)
    found = json.loads(call("show", "one", "--json").stdout)["manifest"]
    assert (found["version"], found["task"], "kind" in found) == (2, "unpaired", False)
    assert found["data"]["dropped"] == {"too long": 12, "a tie": 310}


def test_compare_shows_what_differs() -> None:
    made("one", recipe={"objective": {"beta": 0.1}})
    made("two", recipe={"objective": {"beta": 0.3}})
    result = call("compare", "one", "two")
    assert "objective.beta" in result.stdout
    assert "train.learning_rate" not in result.stdout
    assert "different scales" in result.stderr
    found = json.loads(call("compare", "one", "two", "--json").stdout)
    assert found["settings"] == [{"key": "objective.beta", "values": [0.1, 0.3]}]


def test_an_unknown_run_is_the_users_error() -> None:
    made("one")
    for words in (("show", "onee"), ("compare", "one", "onee")):
        error = call(*words).exception
        assert isinstance(error, InputError)
        assert "did you mean one?" in str(error)


def test_names_in_a_run_cannot_steer_the_terminal() -> None:
    hostile = "[bold red]x[/] \x1b]0;title\x07 \x9b31m :smile:"
    made("one", manifest=manifest_of(model={"name": hostile}, data={"source": hostile, "dropped": {hostile: 1}}))
    for words in (("list",), ("show", "one"), ("compare", "one", "one")):
        stdout = call(*words).stdout
        assert not {"\x1b", "\x07", "\x9b"} & set(stdout)
        assert words[0] == "compare" or "[bold red]x[/]" in stdout


@pytest.mark.parametrize("command", ["list", "show", "compare"])
def test_help_has_an_example(command: str) -> None:
    assert f"Example: tiebreak runs {command}" in call(command, "--help").stdout


def test_importing_the_commands_loads_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "matplotlib", "pydantic", "rich.table", "numpy", "jinja2")
    code = f"import sys, tiebreak.cli.runs; print([m for m in {heavy!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
