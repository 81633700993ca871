"""The benchmark of searches runs in small, and says what it is asked to say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY


@pytest.mark.journey
def test_the_figures_are_written(shared_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    options = ["--shape", "tiny", "--pairs", "16", "--skip-peer", "--skip-workers", "--out", str(out)]
    command = [sys.executable, str(REPOSITORY / "benchmarks" / "sweep_speed.py"), *options]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=280)
    found = json.loads(out.read_text())
    assert found["sweep_of_four_trains"] == found["sweep_seconds"] / found["four_trains_seconds"]
    assert "four_trl_seconds" not in found
