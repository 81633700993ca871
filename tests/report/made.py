"""Small run folders as a training run leaves them behind, made without training."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from tiebreak.recipe import Recipe, parse_recipe
from tiebreak.runs.folder import RunFolder
from tiebreak.runs.manifest import VERSION, Manifest, parse_manifest
from tiebreak.runs.metrics_file import append_metrics


def manifest_of(**changes: Any) -> Manifest:
    """A finished preference run; `changes` replace whole entries, given as plain values."""
    return parse_manifest(recorded(**changes), where="test")


def recorded(**changes: Any) -> dict[str, Any]:
    """The same as manifest.json holds it."""
    manifest: dict[str, Any] = {
        "version": VERSION,
        "task": "preference",
        "measured": True,
        "status": "finished",
        "error": None,
        "created": "2026-03-02T10:15:00+00:00",
        "finished": "2026-03-02T10:19:40+00:00",
        "versions": {"python": "3.11.9", "tiebreak": "0.1.0", "torch": "2.13.0", "transformers": "5.10.1"},
        "hardware": {"system": "Linux x86_64", "processor": "a processor", "cores": 2, "memory_gb": 8.2},
        "threads": 2,
        "device": "cpu",
        "precision": {"name": "fp32", "reason": "the model is small"},
        "model": {
            "name": "bundled:base",
            "revision": None,
            "architecture": "LlamaForCausalLM",
            "parameters": 1_234_567,
            "fingerprint": "5f2c9a",
            "license": "mit",
        },
        "data": {
            "source": "bundled:preferences",
            "schema": "tiebreak",
            "why": "the columns prompt, chosen, rejected",
            "fingerprint": "91be07",
            "template": "chat",
            "train": 3800,
            "held_out": 400,
            "dropped": {"too long": 12, "a tie": 310},
            "trimmed": {"prompt trimmed": 7},
        },
        "self_check": {
            "path": "tree",
            "difference": 4.1e-7,
            "reason": "tree batches: they agree with plain batches to 4e-07 nats a token",
            "seconds": 0.4,
        },
        "tokens_per_microbatch": 2048,
        "length": {"steps": 300, "steps_an_epoch": 100},
        "timings": {"prepare": 3.2, "reference": 14.0, "train": 221.5, "samples": 9.1},
        "before": {"eval_loss": math.log(2), "eval_rewards/margins": 0.0, "eval_logps/accuracies": 0.53},
        "after": {
            "eval_loss": 0.4312,
            "eval_rewards/accuracies": 0.8125,
            "eval_rewards/margins": 1.382,
            "eval_logps/accuracies": 0.7425,
        },
        "judge": {
            "name": "bundled",
            "prompts": 400,
            "before": {"pass_rate": 0.31, "interval": [0.267, 0.357]},
            "after": {"pass_rate": 0.884, "interval": [0.849, 0.912]},
            "win_rate": {"value": 0.931, "interval": [0.902, 0.952]},
        },
        "best": {"step": 280, "metric": "eval_loss", "value": 0.4312},
    }
    return {**manifest, **changes}


def supervised_manifest(**changes: Any) -> Manifest:
    """A finished supervised run."""
    measured = {"task": "supervised", "before": {"eval_loss": 2.31}, "after": {"eval_loss": 1.87}, "judge": None}
    return manifest_of(**{**measured, **changes})


def unpaired_manifest(**changes: Any) -> Manifest:
    """A finished run on unpaired completions."""
    rewards = {"eval_rewards/margins": 0.41, "eval_rewards/chosen": 0.2, "eval_rewards/rejected": -0.21}
    measured = {"task": "unpaired", "before": {"eval_loss": 0.5}, "after": {"eval_loss": 0.44, **rewards}}
    return manifest_of(**{**measured, "judge": None, **changes})


def metric_rows(steps: int = 300) -> list[dict[str, Any]]:
    """What a preference run logs."""
    rows: list[dict[str, Any]] = []
    for step in range(10, steps + 1, 10):
        margin = 1.5 * (1 - math.exp(-step / 120)) + 0.1 * math.sin(step)
        common = {"step": step, "epoch": step / 100, "seconds": step * 0.7}
        pairs = {
            "rewards/chosen": 0.3 * margin,
            "rewards/rejected": -0.7 * margin,
            "rewards/accuracies": 0.5 + 0.2 * margin,
            "rewards/margins": margin,
            "logps/chosen": -40 - step / 100,
            "logps/rejected": -44 - step / 30,
        }
        loss = math.log1p(math.exp(-margin))
        rows.append({**common, "loss": loss, "grad_norm": 2 + math.cos(step), "learning_rate": 1e-6, **pairs})
        if step % 50 == 0:
            rows.append({**common, "eval_loss": loss + 0.02, **{f"eval_{k}": v * 0.95 for k, v in pairs.items()}})
    return [*rows, {"step": steps, "train_runtime": 221.5, "train_loss": 0.5}]


SAMPLES: list[dict[str, Any]] = [
    {
        "prompt": [
            {"role": "user", "content": "Can you count to three?"},
            {"role": "assistant", "content": "One, two, three."},
            {"role": "user", "content": "And now backwards, please."},
        ],
        "chosen": "Three, two, one.",
        "rejected": "I would rather not.",
        "before": "One, one, one, one.",
        "after": "Three, two, one.",
        "before_passed": False,
        "after_passed": True,
    },
    {
        "prompt": [{"role": "user", "content": "What is the colour of the sky on a clear day?"}],
        "chosen": "Blue.",
        "rejected": "The sky.",
        "before": "",
        "after": "It is blue.",
        "before_passed": None,
        "after_passed": None,
    },
]


def make_run(
    path: Path,
    *,
    manifest: Manifest | dict[str, Any] | None = None,
    rows: list[dict[str, Any]] | None = None,
    samples: list[Any] | None = None,
    recipe: dict[str, Any] | None = None,
    model: bool = True,
) -> RunFolder:
    """A run folder on the disk; None leaves a part out, but for the recipe."""
    run = RunFolder.create(made_recipe(recipe), path)
    if manifest is not None:
        plain = manifest.to_json() if isinstance(manifest, Manifest) else manifest
        run.manifest_path.write_text(json.dumps(plain), encoding="utf-8")
    for row in rows or []:
        append_metrics(run.metrics_path, row)
    if samples is not None:
        run.samples_path.write_text(json.dumps(samples), encoding="utf-8")
    if model:
        run.model.mkdir()
        (run.model / "config.json").write_text("{}", encoding="utf-8")
    return run


def made_recipe(document: dict[str, Any] | None = None) -> Recipe:
    """A recipe from nested mappings, with its learning rate written out as a run does."""
    recipe = parse_recipe(document or {}, where="test")
    return recipe if recipe.train.learning_rate != "auto" else recipe.with_settings({"train.learning_rate": 1e-6})
