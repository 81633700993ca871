"""What ran, in one paragraph: only what is recorded, in plain sentences."""

from __future__ import annotations

import pytest

from tests.report.made import made_recipe, manifest_of, recorded, supervised_manifest
from tiebreak.report.summary import what_ran
from tiebreak.runs.manifest import Manifest


def test_a_finished_run_is_told_from_model_to_outcome() -> None:
    data = {**recorded()["data"], "seen": 3800}
    assert what_ran(manifest_of(data=data), made_recipe({"objective": {"beta": 0.1}})) == (
        "bundled:base (1,234,567 parameters) was trained on pairs of bundled:preferences with the objective sigmoid, "
        "beta 0.1 and a learning rate of 1e-6. It saw all 3,800 pairs in 300 steps; 400 are held out. Training took "
        "3 min 42 s, the whole run 4 min 8 s, on a processor with 2 cores, in fp32. The weights of step 280 were kept, "
        "the best by eval_loss. What came out: held-out accuracy 81.2% (77.1–84.8%), held-out margin from 0.00 to "
        "+1.38, held-out loss from 0.6931 to 0.4312."
    )


def test_nothing_recorded_is_nothing_said() -> None:
    assert what_ran(Manifest(), None) == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": {"source": "x", "train": 10, "seen": 4, "held_out": 0}}, "It saw 4 of 10 pairs in 300 steps; no"),
        ({"data": {"source": "x", "train": 1}}, "There is 1 pair to train on; nothing is held out."),
        ({"status": "running", "measured": False}, "bundled:base (1,234,567 parameters) is trained on"),
        ({"status": None}, "is to be trained on"),
        ({"hardware": {"gpus": ["NVIDIA H100"], "cores": 16}}, "on NVIDIA H100, in fp32."),
        ({"hardware": {}, "precision": None}, "the whole run 4 min 8 s. The"),
        ({"best": {"step": 300, "metric": "eval_loss", "value": 0.4}}, "step 300 (the last one) were kept"),
        ({"timings": {}}, "It runs on a processor with 2 cores."),
        (
            {
                "model": {
                    "name": "gpt2",
                    "parameters": 1000,
                    "quantize": "nf4",
                    "adapter": {
                        "kind": "dora", "rank": 8, "alpha": 16, "targets": [], "parameters": 5, "base": "gpt2"
                    },
                }
            },
            "A DoRA adapter of rank 8 on gpt2 (1,000 parameters, in nf4) was trained",
        ),
    ],
)  # fmt: skip
def test_each_part_is_said_as_it_was(changes: dict[str, object], said: str) -> None:
    assert said in what_ran(manifest_of(**changes), made_recipe())


def test_added_objectives_are_named_and_a_recipe_that_cannot_be_read_has_none() -> None:
    added = made_recipe({"objective": {"name": "sigmoid", "beta": 0.1, "add": {"nll": 0.2}}})
    assert "with the objective sigmoid + nll, beta 0.1" in what_ran(manifest_of(), added)
    assert "objective" not in what_ran(manifest_of(), None)


def test_a_supervised_run_imitates_demonstrations() -> None:
    said = what_ran(supervised_manifest(), made_recipe({"objective": "supervised"}))
    assert "was trained on demonstrations of bundled:preferences." in said
    assert "held-out loss from 2.3100 to 1.8700" in said
