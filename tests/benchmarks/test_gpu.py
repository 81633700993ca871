"""The script for a GPU runs on a CPU with tiny shapes: right numbers, all sides with the same losses, one file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY


def run(out: Path, *flags: str) -> tuple[dict[str, Any], str]:
    script = REPOSITORY / "benchmarks" / "gpu.py"
    done = subprocess.run(
        [sys.executable, str(script), "--device", "cpu", "--small", "--out", str(out), *flags],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(out.read_text())
    return result, done.stdout


@pytest.mark.journey
def test_one_call_checks_and_measures_everything(tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="needs TRL: pip install 'tiebreak[dev]'")
    result, _ = run(tmp_path / "gpu.json", "--data", str(tmp_path / "none"))
    assert result["data"] == "drawn"
    assert not result["failed"]
    assert not result["left_out"]
    checks = result["numerics"]["checks"]
    assert result["numerics"]["ok"]
    assert {check["path"] for check in checks} == {"padded", "branches", "flex"}
    assert sum("left_out" in check for check in checks) == 6  # gradients of FlexAttention, which has none on a CPU
    ((training,),) = [result["training"]]
    assert set(training["sides"]) == {"tiebreak", "packed", "trl"}
    for side in training["sides"].values():
        assert side["pairs_per_second"] > 0
        assert side["losses"] == pytest.approx(training["sides"]["tiebreak"]["losses"], rel=1e-4)
    assert training["sides"]["packed"]["tokens"] > training["sides"]["tiebreak"]["tokens"]
    assert 0 < training["sides"]["tiebreak"]["of_matrix_rate"] < 1.5


@pytest.mark.journey
def test_what_does_not_fit_into_the_time_is_named(tmp_path: Path) -> None:
    result, _ = run(tmp_path / "gpu.json", "--seconds", "3")
    assert {left["part"] for left in result["left_out"]} == {"numerics", "tiny"}
    assert result["matrix_rate"] > 0
