"""What `make quickstart` and the README promise."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.end_to_end.conftest import Command, environment


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


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, flags=re.S)
    assert blocks
    for block in blocks:
        code = block.replace("tiebreak.Recipe(", "SMALL(")
        prelude = (
            "import tiebreak\n"
            "def SMALL(**given):\n"
            "    return tiebreak.Recipe(**given).with_settings({'train.max_steps': 2, 'train.batch_size': 4,\n"
            "        'data.limit': 40, 'data.eval_limit': 8, 'evaluate.judge_prompts': 2, 'evaluate.samples': 1})\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", prelude + code],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()


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
