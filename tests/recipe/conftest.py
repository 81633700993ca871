"""Every built-in recipe that names the Hub, run for two steps in one process that sees only a small Hub."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hub_server import Hub, serve_hub
from tests.recipe.miniature import furnish

SEEDS = ("gpt2-hh", "gpt2-hh-hot", "gpt2-hh-qlora", "qwen2-full-hh", "qwen2-truthy")
RECOMMENDED = (
    "recommended-gpt2",
    "recommended-llama-3.2-1b",
    "recommended-qwen2-0.5b",
    "recommended-qwen3-0.6b",
    "recommended-smollm2-360m",
)
SWEEPS = ("gpt2-hh-qlora-sweep", "qwen2-truthy-sweep")
# What a miniature may change of a recipe.
OVERRIDES = {"train.max_steps": 2, "evaluate.samples": 1, "evaluate.max_new_tokens": 4}

# What the comments of the recipes and their pages say to type, and where it leaves its run.
VARIANTS: dict[str, list[str]] = {
    "qlora-1e-6-2": ["train", "gpt2-hh-qlora", "--learning-rate", "1e-6", "--batch-size", "2"],
    "truthy-smollm2": ["train", "qwen2-truthy", "--model", "HuggingFaceTB/SmolLM2-360M-Instruct"],
    "gpt2-answers": [
        *("sft", "--model", "openai-community/gpt2", "--data", "Anthropic/hh-rlhf"),
        *("--max-length", "512"),
    ],
    "gpt2-prefers": ["train", "recommended-gpt2", "--model", "runs/gpt2-answers"],
    "qwen2-honest": [
        *("train", "recommended-qwen2-0.5b", "--data", "jondurbin/truthy-dpo-v0.1"),
        *("--set", "data.eval_split=null", "--set", "data.eval_fraction=0.1", "--epochs", "3"),
    ],
}

# One process for all: most of a short run's time is the import of the libraries.
_DRIVER = """
import contextlib, io, json, sys
from tiebreak.cli.main import run
for arguments in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            run(arguments)
        except SystemExit as done:
            code = done.code
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""


@dataclass(frozen=True)
class Ran:
    """A recipe that was run.

    Attributes:
        folder: of the run.
        code, talk: its exit code, and what it said.
    """

    folder: Path
    code: int
    talk: str

    @property
    def recipe(self) -> dict[str, Any]:
        """The settings in force."""
        found: dict[str, Any] = yaml.safe_load((self.folder / "recipe.yaml").read_text())
        return found

    @property
    def manifest(self) -> dict[str, Any]:
        """What was recorded."""
        found: dict[str, Any] = json.loads((self.folder / "manifest.json").read_text())
        return found


@dataclass(frozen=True)
class AllRan:
    """All recipes, the Hub that they saw, and the folder that they ran in."""

    home: Path
    hub: Hub
    runs: dict[str, Ran]

    def __getitem__(self, name: str) -> Ran:
        return self.runs[name]


def _environment(home: Path, hub: Hub) -> dict[str, str]:
    """One Hub, no account anywhere, caches and folders of its own."""
    private = ("HF_", "WANDB_", "NETRC")
    env = {name: value for name, value in os.environ.items() if not name.startswith(private)}
    env |= {"HOME": str(home), "HF_HOME": str(home / "hf"), "TIEBREAK_CACHE": str(home / "tiebreak")}
    env |= {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "WANDB_MODE": "offline"}
    return env | {"OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "120"}


@pytest.fixture(scope="session")
def all_ran(tmp_path_factory: pytest.TempPathFactory) -> AllRan:
    """Every seed recipe, every recommended one, and the variants, by the commands that a user types."""
    pytest.importorskip("wandb", reason="pip install wandb")
    pytest.importorskip("bitsandbytes", reason="pip install bitsandbytes")
    home = tmp_path_factory.mktemp("recipes")
    asked = {name: ["train", name] for name in (*SEEDS, *RECOMMENDED)} | VARIANTS
    searches = {name: ["sweep", name, "--trials", "3", "--prune", "asha"] for name in SWEEPS}
    asked |= searches
    changes = [word for key, value in OVERRIDES.items() for word in ("--set", f"{key}={value}")]
    commands = [[*words, *changes, "--out", f"runs/{name}"] for name, words in asked.items()]
    with serve_hub() as hub:
        furnish(hub.store, home / "made")
        done = subprocess.run(
            [sys.executable, "-c", _DRIVER, json.dumps(commands)],
            cwd=home,
            env=_environment(home, hub),
            text=True,
            capture_output=True,
            timeout=500,
            check=False,
        )
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(said) == len(asked), done.stderr
    runs = {
        name: Ran(home / "runs" / name, code, out + err) for name, (code, out, err) in zip(asked, said, strict=True)
    }
    return AllRan(home, hub, runs)
