"""From a run, a file or rows to findings, and what is known of a run folder by itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import tiebreak
from tests.doctor.made import QUICKSTART, TABLES, as_csv
from tests.report.made import make_run, manifest_of, metric_rows
from tiebreak.doctor.examine import examine
from tiebreak.errors import InputError


def test_a_run_folder_brings_its_recipe_its_pairs_and_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = make_run(Path("runs/one"), manifest=manifest_of(), rows=metric_rows())
    manifest = run.load_manifest()
    assert manifest.data is not None
    for given in ("runs/one", "one", run.path, run.metrics_path):
        found = examine(given).facts
        assert found.held_out_examples == manifest.data.held_out
        assert found.known_objective == "sigmoid"
        assert found.recipe == run.recipe()
        assert found.log is not None
        assert found.log.kind == "run of Tiebreak"
    assert examine("one", held_out=7, objective="dpo").facts.held_out_examples == 7


def test_rows_as_a_trainer_has_them() -> None:
    rows = [json.loads(line) for line in QUICKSTART.read_text().splitlines()]
    found = tiebreak.diagnose(rows, recipe="quickstart")
    assert found.findings == ()
    assert found.facts.log is not None
    assert found.facts.log.last == 291


def test_a_recipe_alone(tmp_path: Path) -> None:
    found = examine(recipe="gpt2-hh-hot")
    assert (found.findings[0].name, found.facts.log, found.unseen) == ("rate-too-high", None, ())
    assert examine(recipe={"model": "gpt2", "data": "p.jsonl", "train": {"warmup_ratio": 0.9}}).findings


def test_json_is_json_of_every_part(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(as_csv(TABLES["hot"]))
    found = examine(path).to_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["log"]["last"] == 1000
    assert "eval_loss" in found["log"]["metrics"]
    assert found["findings"][0]["name"] == "memorising"
    assert {"names": ["gradient-spikes"], "missing": "gradient norm"} in found["not_looked_at"]
    assert examine(recipe="quickstart").to_json()["log"] is None


def test_what_cannot_be_looked_at_is_an_input_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="nothing to look at"):
        examine()
    with pytest.raises(InputError, match="There is no run 'none'"):
        examine("none")
    with pytest.raises(InputError, match="no objective 'sigmoidd'"):
        examine(QUICKSTART, objective="sigmoidd")
    with pytest.raises(InputError, match="at least 1"):
        examine(QUICKSTART, held_out=0)
    with pytest.raises(InputError, match="no metric"):
        examine([])
    run = make_run(Path("runs/one"), manifest=manifest_of(), rows=metric_rows())
    run.metrics_path.unlink()
    with pytest.raises(InputError, match="logged nothing yet"):
        examine("one")


def test_nothing_is_written(tmp_path: Path) -> None:
    run = make_run(tmp_path / "one", manifest=manifest_of(), rows=metric_rows())
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    examine(run.path)
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before
    shutil.rmtree(run.path)
