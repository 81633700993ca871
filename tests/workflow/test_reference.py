"""A reference that follows the policy (TR-DPO): when it moves, how far, and through a resume."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.architectures import ARCHITECTURES
from tests.workflow.conftest import Small, small_recipe
from tiebreak.engine.batch import group_of
from tiebreak.engine.score import Scorer, score_groups
from tiebreak.errors import InputError
from tiebreak.runs import RunFolder
from tiebreak.workflow.reference import frozen_copy
from tiebreak.workflow.resolve import resolve
from tiebreak.workflow.train import resume

MOVING = {
    "train__reference": "live",
    "train__reference_update_every": 2,
    "train__keep_checkpoints": 5,
    "train__precision": "fp32",
}
GROUPS = [group_of([5, 6, 7], [[10, 11], [12, 13, 14]]), group_of([20, 21], [[30, 31, 32], [33]])]


def _weights(folder: Path, name: str) -> dict[str, torch.Tensor]:
    """The weights in a file, the tied ones under one name."""
    found = load_file(folder / name)
    tied = found.pop("lm_head.weight", None)
    return found if tied is None else {"model.embed_tokens.weight": tied, **found}


def test_a_hard_update_copies_the_policy(small: Small) -> None:
    run = small(**MOVING, train__reference_update="hard")
    for step in (2, 4):
        folder = run.folder.checkpoints / f"checkpoint-{step}"
        policy, reference = _weights(folder, "model.safetensors"), _weights(folder, "reference.safetensors")
        assert all(torch.equal(policy[name], reference[name]) for name in policy)
    # Right after an update policy and reference agree again.
    third = next(row for row in run.history if row["step"] == 3 and "loss" in row)
    assert third["loss"] == pytest.approx(0.693147, abs=1e-5)


def test_a_soft_update_mixes_the_policy_in(small: Small) -> None:
    run = small(**MOVING, train__reference_update="soft", train__reference_mix=0.25, train__max_steps=2)
    folder = run.folder.checkpoints / "checkpoint-2"
    policy, reference = _weights(folder, "model.safetensors"), _weights(folder, "reference.safetensors")
    base = small("base", train__max_steps=1, train__learning_rate=1e-11).model.state_dict()
    for name in policy:
        torch.testing.assert_close(reference[name], torch.lerp(base[name], policy[name], 0.25), rtol=1e-5, atol=1e-6)
    assert any(not torch.equal(policy[name], base[name]) for name in policy)


def test_a_resumed_run_goes_on_with_the_reference_as_it_was(small: Small, tmp_path: Path) -> None:
    run = small("whole", **MOVING, train__reference_update="soft", train__max_steps=6)
    cut = tmp_path / "cut"
    shutil.copytree(run.path, cut)
    for step in (4, 6):
        shutil.rmtree(cut / "checkpoints" / f"checkpoint-{step}")
    shutil.rmtree(cut / "model")
    RunFolder.open(cut).update_manifest(status="interrupted")
    again = resume(cut)
    first, second = (_weights(path / "model", "model.safetensors") for path in (run.path, again.path))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_held_out_pairs_are_measured_against_the_model_that_the_run_began_with(small: Small) -> None:
    run = small(**MOVING, train__reference_update="hard", train__max_steps=4)
    assert run.metrics["eval_rewards/margins"] != 0


def test_a_cached_reference_cannot_move() -> None:
    with pytest.raises(InputError, match="would be those of another model"):
        small_recipe(train__reference_update="soft")


def test_an_adapters_reference_cannot_move() -> None:
    recipe = small_recipe(train__reference="live", train__reference_update="soft", model__adapter="lora")
    with pytest.raises(InputError, match="without its adapter"):
        resolve(recipe)


@pytest.mark.parametrize("name", ["gpt2", "qwen2"])
def test_a_copy_in_coarser_arithmetic_scores_as_the_policy_does(name: str) -> None:
    model = ARCHITECTURES[name]()
    frozen = frozen_copy(model, torch.bfloat16)
    assert {p.dtype for p in frozen.parameters()} == {torch.float32, torch.bfloat16}
    for path in ("tree", "padded"):
        scorer = Scorer("tree" if path == "tree" else "padded", torch.bfloat16)
        ours, theirs = (score_groups(each, GROUPS, scorer) for each in (model, frozen))
        assert abs(ours.logp - theirs.logp).max() < 0.2
