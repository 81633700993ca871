"""The benchmark of data preparation runs, and says what it is asked to say."""

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
    options = ["--rows", "50", "--large", "0", "--rounds", "1", "--skip-peer", "--json", str(out)]
    command = [sys.executable, str(REPOSITORY / "benchmarks" / "data_speed.py"), *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures = json.loads(out.read_text())
    assert figures["rows"] == figures["kept"] == 50
    assert figures["memory"] == {}
    assert all(figures[f"rows_per_second{end}"] > 0 for end in ("", "_to_batches", "_from_file"))
    assert "ratio" not in figures
    assert "Tiebreak" in done.stdout
