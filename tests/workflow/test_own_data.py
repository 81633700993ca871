"""Without data a run is measured on the pairs that it held out, and on no others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tiebreak
from tests.workflow.conftest import Small
from tiebreak.cli.main import app
from tiebreak.errors import InputError
from tiebreak.workflow.own_data import held_out_pairs_of


def test_a_run_is_measured_on_what_it_held_out(small: Small) -> None:
    run = small()
    found = tiebreak.evaluate_model(run)
    after = run.folder.load_manifest().after
    assert after is not None
    assert found.pairs == run.folder.load_manifest().data.held_out  # type: ignore[union-attr]
    assert found.metrics["eval_loss"] == pytest.approx(after["eval_loss"], abs=1e-4)
    assert found.metrics["eval_rewards/accuracies"] == after["eval_rewards/accuracies"]
    done = CliRunner().invoke(app, ["evaluate", str(run.path), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["pairs"] == found.pairs
    assert "held_out_rows.jsonl" in done.stderr


def test_runs_that_held_out_the_same_pairs_are_measured_together_and_others_refused(small: Small) -> None:
    one, same, other = small("one"), small("same", train__learning_rate=1e-4), small("other", data__eval_limit=8)
    assert held_out_pairs_of([one.path, "bundled:base", same.path]) == str(one.folder.held_out_rows_path)
    with pytest.raises(InputError, match=r"other' has not held out the same pairs as .*one'"):
        held_out_pairs_of([one.path, other.path])
    nothing = small("nothing", data__source=str(one.folder.held_out_rows_path), data__eval_fraction=0.0)
    with pytest.raises(InputError, match="nothing' has not held out the same pairs"):
        held_out_pairs_of([one.path, nothing.path])
    with pytest.raises(InputError, match="nothing to measure on"):
        held_out_pairs_of([nothing.path])


def test_a_model_that_is_no_run_has_no_pairs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to measure on"):
        held_out_pairs_of(["bundled:base", tmp_path])
