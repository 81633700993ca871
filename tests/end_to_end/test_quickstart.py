"""What `make quickstart` and the README promise."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Command


@pytest.mark.journey
def test_quickstart_reaches_its_figures(tiebreak: Command, tmp_path: Path) -> None:
    done = tiebreak("quickstart", "--out", "runs/first")
    manifest = json.loads((tmp_path / "runs/first/manifest.json").read_text())
    assert 0.30 <= manifest["judge"]["before"]["pass_rate"] <= 0.60
    assert manifest["judge"]["after"]["pass_rate"] >= 0.95
    assert manifest["after"]["eval_rewards/accuracies"] >= 0.97
    low, high = manifest["judge"]["win_rate"]["interval"]
    assert 0.5 < low < high <= 1
    for promised in ("held-out accuracy", "win rate", "report.html", "tiebreak chat runs/first", "tiebreak train"):
        assert promised in done.stdout


def test_help_is_there_for_every_command(tiebreak: Command) -> None:
    listed = tiebreak("--help").stdout
    for command in ("quickstart", "data", "train", "sft", "evaluate", "chat", "runs", "recipes"):
        assert command in listed
    for words in (["train"], ["sft"], ["evaluate"], ["chat"], ["quickstart"], ["data", "inspect"], ["data", "convert"]):
        assert "Example: tiebreak" in tiebreak(*words, "--help").stdout


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from tiebreak.cli.main import app\n"
        "heavy = {'torch', 'transformers', 'datasets', 'matplotlib', 'numpy', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
