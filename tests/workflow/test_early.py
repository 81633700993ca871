"""What is wrong with a run is found before torch is loaded, and a folder given twice is gone on with."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tiebreak.errors import InputError
from tiebreak.recipe import Recipe
from tiebreak.runs import RunFolder
from tiebreak.workflow.early import begun, check_early
from tiebreak.workflow.resolve import resolve

TRAIN = ("train", "--model", "bundled:base", "--data", "bundled:preferences")
_RUN = """
import sys
from tiebreak.cli.main import run
try:
    run(sys.argv[1:])
finally:
    print("loaded:", *(name for name in ("torch", "transformers", "datasets") if name in sys.modules))
"""


def _wrong(settings: dict[str, Any], out: Path | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        check_early(Recipe().with_settings(settings), out)
    return caught.value


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--objective", "sigmod"), "did you mean 'sigmoid'?"),
        (("--data", "nothing.jsonl"), "There is no file 'nothing.jsonl'"),
        (("--model", "./nothing"), "There is no model folder './nothing'"),
        (("--out", "taken"), "The folder 'taken' is not empty"),
        (("--set", "train.lr=1"), "'train.learning_rate'"),
    ],
)
def test_it_takes_no_torch_and_no_time(words: tuple[str, ...], says: str, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *TRAIN, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert done.stdout == "loaded:\n"
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"data.eval_source": "nothing.csv"}, "nothing.csv"),
        ({"data.split": "tset"}, "no split 'tset'"),
        ({"data.eval_split": "tset"}, "no split 'tset'"),
        ({"data.source": "votes:mysql://a/b"}, "votes"),
        ({"train.keep_best": "eval_los"}, "did you mean 'eval_loss'?"),
        ({"model.name": "runs/nothing/at/all"}, "no model folder"),
        ({"objective.name": "nowhere_to_be_found:loss"}, "nowhere_to_be_found"),
    ],
)
def test_each_part_is_checked(settings: dict[str, Any], says: str) -> None:
    assert says in str(_wrong(settings))


def test_what_is_right_is_told(tmp_path: Path) -> None:
    found = check_early(Recipe(), tmp_path / "run")
    assert found.parameters == found.shape.parameters if found.shape else False
    assert found.disk is not None
    assert found.parameters is not None
    assert found.disk[0] == 3 * 12 * found.parameters + 4 * found.parameters
    assert not (tmp_path / "run").exists()


def test_a_hub_id_and_a_pipe_wait(tmp_path: Path) -> None:
    for settings in ({"model.name": "ann/model"}, {"data.source": "ann/prefs"}, {"data.source": "-"}):
        check_early(Recipe().with_settings(settings), tmp_path / "run")


def test_a_disk_that_is_too_small_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 50_000_000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    error = _wrong({}, tmp_path / "run")
    assert "77 MB" in error.what
    assert "train.keep_checkpoints" in str(error.fix)
    adapter = Recipe().with_settings({"model.adapter": "lora"})
    check_early(adapter, tmp_path / "run")  # which is small
    check_early(Recipe(), tmp_path / "run", new=False)  # what is there already counts


def test_a_run_is_begun_once(tmp_path: Path) -> None:
    recipe, out = Recipe(), tmp_path / "run"
    assert not begun(recipe, out)
    out.mkdir()
    (out / ".recipe.yaml.123.partial").write_text("mod")  # killed as it began
    assert not begun(recipe, out)
    RunFolder.create(resolve(recipe).recipe, out)
    assert begun(recipe, out)
    with pytest.raises(InputError) as caught:
        begun(recipe.with_settings({"train.epochs": 2, "objective.beta": 0.3}), out)
    assert "train.epochs is 1.0 there and 2.0 here" in caught.value.what
    assert "objective.beta is 0.1 there and 0.3 here" in caught.value.what


def test_what_is_no_run_is_not_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        begun(Recipe(), tmp_path)


@pytest.mark.parametrize("words", [("--resume-or-start",), ("--resume-or-start", "--resume", "--out", "x")])
def test_going_on_needs_a_folder(words: tuple[str, ...], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tiebreak", *TRAIN, *words, "--json"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert "--resume-or-start needs --out" in json.loads(done.stdout)["error"]["what"]
