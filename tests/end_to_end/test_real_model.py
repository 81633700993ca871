"""The seeds' recipes on real weights, with the model exchanged as a user does it: `--model`, and nothing else of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Command
from tests.recipe.conftest import SEEDS
from tiebreak.recipe.builtin import recipe_named

# What such a test may change beside model and data: how long it takes.
SHORT = {
    "train.max_steps": 3,
    "train.eval_every": 2,
    "train.save_every": 3,
    "data.eval_split": "null",
    "data.eval_fraction": 0.2,
    "data.eval_limit": 4,
    "data.min_chars": "null",
    "evaluate.samples": 1,
    "evaluate.max_new_tokens": 8,
    "track": "[]",
}
_ASKED = ("the tides", "a heavy parcel", "bread that does not rise", "a noisy neighbour", "the metric system")


def _transcripts(path: Path) -> None:
    """Pairs in the form of Anthropic/hh-rlhf, as five prompts in four wordings."""
    rows = []
    for thing in _ASKED:
        for wording in ("Tell me about", "What do I do about", "I wonder about", "Explain"):
            opening = f"\n\nHuman: {wording} {thing}.\n\nAssistant: "
            good = f"Gladly: let us look at {thing} one step at a time, and see what helps."
            rows.append({"chosen": opening + good, "rejected": f"{opening}I would rather not talk about that."})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.journey if name == "gpt2-hh-hot" else pytest.mark.endurance)
        for name in SEEDS
    ],
)
def test_a_seed_runs_on_real_weights(name: str, real_model: Path, tiebreak: Command, tmp_path: Path) -> None:
    if name == "gpt2-hh-qlora":
        pytest.importorskip("bitsandbytes", reason="pip install bitsandbytes")
    _transcripts(tmp_path / "prefs.jsonl")
    short = [word for key, value in SHORT.items() for word in ("--set", f"{key}={value}")]
    tiebreak("train", name, "--model", str(real_model), "--data", "prefs.jsonl", *short, "--out", "run")
    run, recipe = tmp_path / "run", recipe_named(name)
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["status"], manifest["length"]["steps"]) == ("finished", 3)
    assert manifest["model"]["name"] == str(real_model)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses[0] == pytest.approx(0.693, abs=0.02)  # the policy is the reference
    assert all(0 <= loss < 20 for loss in losses)
    assert manifest["objectives"] == {}
    weights = "adapter_model" if recipe.model.adapter is not None else "model"
    assert (run / "model" / f"{weights}.safetensors").is_file()
    said = tiebreak("chat", "run", "--prompt", "What is the capital of France?", "--max-new-tokens", "8")
    assert said.stdout.strip()
