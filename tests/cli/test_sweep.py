"""`tiebreak sweep`: how flags become a search, and what it prints; a whole search is in `sweep/test_search.py`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.workflow.conftest import SMALL
from tiebreak.cli.main import app
from tiebreak.cli.sweep import _parsed_over
from tiebreak.errors import InputError

_VARIED = ("train.learning_rate", "train.batch_size")
SETTINGS = [
    word for key, value in SMALL.items() if key not in _VARIED for word in ("--set", f"{key}={json.dumps(value)}")
]


def test_what_is_varied_is_a_list_or_yaml() -> None:
    assert _parsed_over(["train.learning_rate=1e-6,5e-6", "model.adapter=lora,null", "train.epochs=3"]) == {
        "train.learning_rate": ["1e-6", "5e-6"],
        "model.adapter": ["lora", None],
        "train.epochs": [3],
    }
    assert _parsed_over(["train.learning_rate={log: [1e-7, 1e-5]}", "objective.beta=[0.1]"]) == {
        "train.learning_rate": {"log": ["1e-7", "1e-5"]},
        "objective.beta": [0.1],
    }


@pytest.mark.parametrize("over", [["train.learning_rate"], ["=1,2"], ["a="], ["a=1", "a=2"], ["a={log: [1"]])
def test_what_is_not_of_that_form_is_refused(over: list[str]) -> None:
    with pytest.raises(InputError):
        _parsed_over(over)


def refused(*words: str) -> InputError:
    found = CliRunner().invoke(app, ["sweep", *words])
    assert isinstance(found.exception, InputError), found.output
    return found.exception


def test_mistakes_are_said_before_anything_is_made(tmp_path: Path) -> None:
    out = str(tmp_path / "search")
    assert "nothing of what to vary" in refused("quickstart", "--out", out).what
    assert "Name a model" in refused("--over", "train.seed=1,2").what
    assert "swapped" in refused("quickstart", "--over", "train.learning_rate={log: [1e-5, 1e-7]}", "--out", out).what
    assert refused("quickstart", "--over", "train.batch_size=1,0", "--out", out).where == (
        "sweep.over, train.batch_size=0"
    )
    assert "from the search that it works at" in refused("--worker", out, "--seeds", "2").what
    assert "not the folder of a search" in refused("--worker", out).what
    twice = refused("quickstart", "--over", "train.seed=1,2", "--trials", "3", "--set", "sweep.trials=4")
    assert "two values" in twice.what
    assert not (tmp_path / "search").exists()


def test_a_dry_run_prints_the_trials_and_measures_a_step(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(cache))
    words = ["sweep", "default", "--over", "train.learning_rate=1e-3,2e-3", "--over", "train.batch_size=4,8"]
    said = CliRunner().invoke(app, [*words, "--dry-run", "--json", *SETTINGS]).stdout
    found = json.loads(said)
    assert found["trials"] == 4
    assert found["listed"][1] == {"train.learning_rate": 1e-3, "train.batch_size": 8}
    assert 0 < found["step_seconds"] < found["seconds"]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")
