"""The benchmark of training speed runs, and its figures hang together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY


def test_a_small_comparison_without_peer(shared_data: Path, tmp_path: Path) -> None:
    script, out = REPOSITORY / "benchmarks" / "train_speed.py", tmp_path / "figures.json"
    done = subprocess.run(
        [
            *(sys.executable, str(script), "--shape", "tiny", "--pairs", "12", "--batch-size", "4"),
            *("--precision", "bf16", "--reference", "live", "--skip-peer", "--json", str(out)),
        ],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Tiebreak" in done.stdout
    figures = json.loads(out.read_text())
    assert figures["timed_steps"] == 2
    assert figures["pairs_per_second"] > 0
    assert figures["losses"][0] == pytest.approx(0.6931, abs=1e-3)
    assert 0 < figures["share_of_matrix_rate"] < 1.2
    assert "ratio" not in figures
