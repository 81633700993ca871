"""Runs with an adapter: the whole journey, its reference, continuing, resuming, merging."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.workflow.conftest import Small
from tiebreak.errors import InputError
from tiebreak.models.adapters import is_adapter_folder
from tiebreak.models.load import load_model
from tiebreak.runs import RunFolder
from tiebreak.workflow.evaluate import Question, evaluate_model
from tiebreak.workflow.export import export_run
from tiebreak.workflow.train import resume

pytestmark = pytest.mark.journey


def _trained(run: Any) -> list[dict[str, float]]:
    """What was logged of the steps, without the seconds."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.history if "loss" in row]


@pytest.mark.parametrize("kind", ["lora", "dora", "rslora"])
def test_an_adapter_run_from_recipe_to_answers(kind: str, small: Small) -> None:
    run = small(model__adapter=kind)
    assert is_adapter_folder(run.folder.model)
    manifest = run.folder.load_manifest().to_json()
    assert manifest["model"]["adapter"]["kind"] == kind
    assert manifest["model"]["adapter"]["parameters"] < manifest["model"]["parameters"] / 4
    assert manifest["before"]["eval_loss"] == pytest.approx(0.693147, abs=1e-5)
    assert run.metrics["eval_loss"] < manifest["before"]["eval_loss"]
    assert isinstance(run.answer("Hello!"), str)


def test_cached_and_live_references_train_alike_and_share_the_cache(small: Small) -> None:
    whole = small("whole", train__max_steps=2)
    cached = small("cached", model__adapter="lora")
    live = small("live", model__adapter="lora", train__reference="live")
    assert (
        cached.folder.load_manifest().to_json()["model"]["fingerprint"]
        == whole.folder.load_manifest().to_json()["model"]["fingerprint"]
    )
    for a, b in zip(_trained(cached), _trained(live), strict=True):
        assert a == pytest.approx(b, rel=1e-5, abs=1e-6)


def test_the_measured_adapter_is_the_merged_one(small: Small, tmp_path: Path) -> None:
    run = small(model__adapter="lora")
    plain = tmp_path / "plain"
    assert export_run(run.path, plain, merge=True) == [plain]
    merged, adapted = load_model(str(plain)), load_model(str(run.path))
    assert all(torch.equal(a, b) for a, b in zip(merged.parameters(), adapted.parameters(), strict=True))
    found = evaluate_model(Question(str(run.path), "bundled:preferences", limit=16))
    assert found.reference == "bundled:base"
    assert found.metrics["eval_loss"] == pytest.approx(run.metrics["eval_loss"], abs=1e-4)
    with pytest.raises(InputError, match="exists"):
        export_run(run.path, plain, merge=True)


def test_a_resumed_adapter_run_ends_with_the_same_bits(small: Small, tmp_path: Path) -> None:
    run = small("whole", model__adapter="lora", train__keep_checkpoints=5)
    cut = tmp_path / "cut"
    shutil.copytree(run.path, cut)
    shutil.rmtree(cut / "checkpoints" / "checkpoint-4")
    shutil.rmtree(cut / "model")
    folder = RunFolder.open(cut)
    folder.update_manifest(status="interrupted")
    again = resume(cut)
    weights = [(path / "model" / "adapter_model.safetensors").read_bytes() for path in (run.path, again.path)]
    assert weights[0] == weights[1]
    assert _trained(again) == _trained(run)


@pytest.mark.parametrize("reference", ["cached", "live"])
def test_training_goes_on_from_an_adapter_with_it_as_reference(reference: str, small: Small) -> None:
    first = small("first", model__adapter={"kind": "lora", "rank": 4})
    second = small("second", model__name=str(first.path), model__adapter="lora", train__reference=reference)
    adapter = second.folder.load_manifest().to_json()["model"]["adapter"]
    assert adapter["rank"] == 4  # an adapter keeps its shape
    assert adapter["continued"] == str(first.folder.model)
    assert _trained(second)[0]["loss"] == pytest.approx(0.693147, abs=1e-5)
    assert second.metrics["eval_logps/chosen"] != first.metrics["eval_logps/chosen"]
    config = json.loads((second.folder.model / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "bundled:base"


def test_a_whole_model_is_trained_from_an_adapter_merged(small: Small) -> None:
    first = small("first", model__adapter="lora")
    second = small("second", model__name=str(first.path))
    assert not is_adapter_folder(second.folder.model)
    assert _trained(second)[0]["loss"] == pytest.approx(0.693147, abs=1e-5)


@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_a_quantized_run_trains_its_adapter(kind: str, small: Small) -> None:
    pytest.importorskip("bitsandbytes", reason="pip install 'tiebreak[quant]'")
    run = small(model__adapter="lora", model__quantize=kind)
    assert run.folder.load_manifest().to_json()["model"]["quantize"] == kind
    assert run.metrics["eval_loss"] < 0.6931
    assert isinstance(run.answer("Hello!"), str)


def test_demonstrations_train_an_adapter(small: Small) -> None:
    run = small(model__adapter="lora", objective__name="supervised", data__limit=8, train__max_steps=6)
    losses = [row["loss"] for row in _trained(run)]
    assert losses[-1] < losses[0]
