"""Reward against KL over runs that differ in beta alone: the larger it is, the nearer a run stays to its reference."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Command, small_flags


@pytest.mark.journey
def test_a_larger_beta_stays_nearer_to_the_reference(tiebreak: Command, tmp_path: Path) -> None:
    flags = small_flags(
        **{
            "train.max_steps": 40,
            "data.limit": 640,
            "train.learning_rate": 1e-3,
            "train.eval_every": 40,
            "train.save_every": "null",
        }
    )
    betas = ("0.03", "1")
    for beta in betas:
        tiebreak("train", *flags, "--beta", beta, "--out", f"runs/beta-{beta}")
    asked = ["--against", "bundled:base", "--prompts", "bundled:preferences", "--judge", "bundled"]
    few = ["--judge-prompts", "96", "--max-new-tokens", "32", "--temperature", "1"]
    runs = [f"runs/beta-{beta}" for beta in betas]
    done = tiebreak("evaluate", *runs, *asked, *few, "--frontier-out", "frontier.png", "--json")
    found = json.loads(done.stdout)["answers"]
    far, near = (each["kl"]["value"] for each in found["kl"])
    assert near["low"] > 0
    assert near["value"] < far["low"]
    assert near["high"] < far["value"]
    assert [each["reference"] for each in found["kl"]] == ["bundled:base", "bundled:base"]
    assert (tmp_path / "frontier.png").read_bytes().startswith(b"\x89PNG")
