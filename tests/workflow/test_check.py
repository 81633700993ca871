"""What a run will be, before it is begun: exact counts, and estimates that are called so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tiebreak.bundled import base_model_path
from tiebreak.models.load import load_model
from tiebreak.recipe import Recipe
from tiebreak.workflow.check import check_run

SMALL = {"data.limit": 40, "data.max_length": 48, "data.eval_limit": 5, "train.batch_size": 16, "train.epochs": 2}


def test_counts_are_those_of_the_run(tmp_path: Path) -> None:
    found = check_run(Recipe().with_settings(SMALL), tmp_path / "run")
    assert found.examples + sum(count for why, count in found.dropped.items() if "max_length" in why) <= 40
    assert found.examples < 40  # some are longer
    assert found.steps == 2 * -(-found.examples // 16)
    assert found.seen == found.steps * 16
    model = load_model(str(base_model_path()))
    assert found.parameters == found.trained == model.num_parameters()
    assert found.size is not None
    assert found.size.optimizer == 8 * model.num_parameters()
    assert found.largest == found.size.fixed + found.size.a_token * found.lengths.longest
    assert found.seconds is not None
    assert found.seconds > 0
    assert not (tmp_path / "run").exists()


def test_what_is_estimated_is_called_so(tmp_path: Path) -> None:
    found = check_run(Recipe().with_settings({**SMALL, "model.adapter": "lora"}), tmp_path / "run")
    labels = dict(found.rows())
    assert {"memory, estimated", "time, estimated", "disk, estimated"} <= set(labels)
    assert any(label.startswith("dropped: ") for label in labels)
    assert "of an adapter that is trained" in labels["model"]
    assert set(json.loads(json.dumps(found.to_json()))["estimates"]) == {"size", "largest", "disk_needed", "seconds"}


@pytest.mark.journey
def test_the_time_is_of_the_right_order(tmp_path: Path) -> None:
    from tiebreak.workflow.train import train

    recipe = Recipe().with_settings({"train.max_steps": 10, "data.eval_limit": 5, "evaluate.samples": 0})
    found = check_run(recipe, tmp_path / "run")
    assert found.seconds is not None
    took = train(recipe, out=tmp_path / "run").folder.load_manifest().timings["train"]
    assert took / 8 < found.seconds < took * 8
