"""One command for runs, logs, settings and data: what a name is taken for, and what is said of data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tiebreak
from tests.workflow.conftest import Small
from tiebreak.cli.main import app
from tiebreak.errors import InputError
from tiebreak.workflow.diagnose import diagnose


def _pairs(path: Path, *, pairs: int = 60, words: int = 3) -> Path:
    """Pairs of which the chosen completion begins alike and is the longer one, without any other fault."""
    rows = [
        {
            "prompt": f"What is {number} and {number * 7919 % 1009}?",
            "chosen": f"Gladly: it is {number} {'so ' * words}{'abcdefghij'[number % 10]}.",
            "rejected": f"No {'klmnopqrst'[number % 10]}.",
        }
        for number in range(pairs)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _names(found: tiebreak.Diagnosis) -> dict[str, str]:
    return {finding.name: finding.severity for finding in found.findings}


def test_a_file_of_pairs_is_read_as_data_and_a_log_as_a_log(tmp_path: Path) -> None:
    found = diagnose(_pairs(tmp_path / "prefs.jsonl"))
    assert found.facts.data is not None
    assert found.facts.log is None
    assert _names(found) == {"few-pairs": "note", "length-bias": "warning"}
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps({"step": step, "loss": 0.69}) + "\n" for step in range(1, 9)))
    assert diagnose(log).facts.log is not None


def test_the_bundled_preferences_have_no_warning() -> None:
    assert set(_names(diagnose("bundled:preferences")).values()) <= {"note"}
    by_tokens = _names(diagnose("bundled:preferences", model="bundled:base"))
    assert not by_tokens.keys() & {"no-end-token", "doubled-start-token", "system-turn-twice", "dropped-turn"}


def test_a_model_says_what_is_cut_and_a_recipe_the_settings(tmp_path: Path) -> None:
    data = _pairs(tmp_path / "prefs.jsonl", words=100)
    assert "cut-by-length" not in _names(diagnose(data))
    assert "cut-by-length" not in _names(diagnose(data, model="bundled:base"))  # 1,024 tokens hold them
    recipe = {
        "model": "bundled:base",
        "data": {"source": "none.jsonl", "max_length": 64, "too_long": "trim_completion"},
    }
    found = _names(diagnose(data, recipe=recipe))
    assert (found["cut-by-length"], found["no-end-token"]) == ("warning", "warning")
    assert "few-held-out" in found


@pytest.mark.parametrize("label", [False, True])
def test_rows_that_are_no_pairs_are_looked_at_too(tmp_path: Path, label: bool) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"prompt": f"What is {n}?", "completion": "It is that. " * n} for n in range(1, 41)]
    labelled = [{**row, "label": n % 2 == 0} if label else row for n, row in enumerate(rows)]
    path.write_text("".join(json.dumps(row) + "\n" for row in labelled))
    for model in (None, "bundled:base"):
        found = diagnose(path, model=model)
        assert found.facts.data is not None
        assert found.facts.data.traits is None
        assert _names(found) == {"few-pairs": "warning"}
    with pytest.raises(InputError, match="one answer each"):
        diagnose(path, recipe="quickstart")  # which is for pairs


def test_data_are_read_as_the_flags_say(tmp_path: Path) -> None:
    folder = tmp_path / "set" / "inner"
    folder.mkdir(parents=True)
    path = _pairs(folder / "test.jsonl")
    renamed = (
        path.read_text().replace('"prompt"', '"asked"').replace('"chosen"', '"one"').replace('"rejected"', '"two"')
    )
    path.write_text('{"asked": "a", "one": "", "two": \n' + renamed)
    flags = ["--data-dir", "inner", "--split", "test", "--columns", "prompt=asked,chosen=two,rejected=one"]
    words = ["doctor", str(tmp_path / "set"), *flags, "--set", "data.eval_fraction=0", "--limit", "40", "--json"]
    refused = CliRunner().invoke(app, words).exception
    assert isinstance(refused, InputError)
    assert "--skip-bad-rows" in str(refused.fix)
    found = json.loads(CliRunner().invoke(app, [*words, "--skip-bad-rows"]).stdout)
    longer = next(each for each in found["findings"] if each["name"] == "length-bias")
    assert longer["title"] == "the shorter completion is mostly the chosen one"
    settings = {"data.columns": {"prompt": "asked", "chosen": "one", "rejected": "two"}, "data.skip_bad_rows": True}
    assert "length-bias" in _names(diagnose(path, settings=settings))


def test_settings_change_a_recipe_or_name_the_model(tmp_path: Path) -> None:
    data = _pairs(tmp_path / "prefs.jsonl", words=100)
    cut = {"data.max_length": 64, "data.too_long": "trim_completion"}
    assert "no-end-token" not in _names(diagnose(data, settings=cut))  # without a tokenizer nothing is cut
    assert "no-end-token" in _names(diagnose(data, settings={**cut, "model.name": "bundled:base"}))
    assert "no-end-token" in _names(diagnose(data, model="bundled:base", settings=cut))
    assert "no-evaluation" in _names(diagnose(recipe="quickstart", settings={"data.eval_fraction": 0.0}))


def test_a_folder_of_shards_is_data_and_a_run_a_run(tmp_path: Path, small: Small) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    _pairs(folder / "train-0.jsonl")
    assert diagnose(folder).facts.data is not None
    found = diagnose(small().path)
    assert found.facts.log is not None
    assert found.facts.data is not None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch"], "no run 'nosuch'"),
        (["no/such.jsonl"], "no run 'no/such.jsonl'"),
        (["runs/none"], "no run 'runs/none'"),
        (["notes.txt"], "notes.txt"),
        (["empty.jsonl"], "The log is empty"),
        (["log.jsonl", "--model", "bundled:base"], "A model is for data"),
        (["log.jsonl", "--data", "prefs.jsonl"], "one after the other"),
        (["--data", "none.jsonl"], "none.jsonl"),
        (["none.jsonl", "--split", "test"], "no run 'none.jsonl'"),
        (["prefs.jsonl", "--columns", "prompt=a,chosen=b,rejected=c"], "no column 'a'"),
        (["bad.jsonl"], "--skip-bad-rows"),
        (["prefs.jsonl", "--set", "data.source=b.jsonl"], "not set by 'data.source'"),
        (["prefs.jsonl", "--set", "data.limt=5"], "data.limt"),
        (["prefs.jsonl", "--limit", "5", "--set", "data.limit=6"], "two values"),
        (["prefs.jsonl", "--set", "train.learning_rate=1"], "judged as a whole"),
        (["log.jsonl", "--split", "test"], "this is neither"),
        ([], "nothing to look at"),
    ],
)
def test_what_cannot_be_looked_at_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    _pairs(tmp_path / "prefs.jsonl")
    Path("notes.txt").write_text("Just a text.\n")
    Path("empty.jsonl").touch()
    Path("bad.jsonl").write_text("{not JSON\n" + Path("prefs.jsonl").read_text())
    Path("log.jsonl").write_text('{"step": 1, "loss": 0.69}\n{"step": 2, "loss": 0.68}\n')
    error = CliRunner().invoke(app, ["doctor", *arguments]).exception
    assert isinstance(error, InputError)
    assert said in str(error)


def test_the_command_fails_where_asked_to(tmp_path: Path) -> None:
    data = str(_pairs(tmp_path / "prefs.jsonl"))
    done = CliRunner().invoke(app, ["doctor", data, "--json", "--fail-on", "warning"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["findings"][0]["name"] == "length-bias"
    assert CliRunner().invoke(app, ["doctor", data, "--fail-on", "stop"]).exit_code == 0
