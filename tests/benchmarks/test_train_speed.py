"""The benchmark of training speed runs, alone and beside TRL, and its figures hang together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY


def result_of(out: Path, *flags: str) -> dict[str, Any]:
    script = REPOSITORY / "benchmarks" / "train_speed.py"
    done = subprocess.run(
        [sys.executable, str(script), "--shape", "tiny", "--batch-size", "4", "--results", str(out), *flags],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "tiebreak" in done.stdout
    (written,) = out.iterdir()
    result: dict[str, Any] = json.loads(written.read_text())
    return result


@pytest.mark.journey
@pytest.mark.parametrize("kind", ["hh", "short"])
def test_a_small_comparison_without_peer(shared_data: Path, tmp_path: Path, kind: str) -> None:
    result = result_of(
        tmp_path / "results",
        "--steps",
        "2",
        "--kind",
        kind,
        "--precision",
        "fp32",
        "--reference",
        "live",
        "--skip-peer",
    )
    ((_, ours),) = result["rounds"][0].items()
    assert len(ours["seconds"]) == 2
    assert min(ours["seconds"]) > 0
    assert len(ours["losses"]) == 3
    assert ours["losses"][0] == pytest.approx(0.6931, abs=1e-3)
    assert 0 < sum(ours["operations"]) / sum(ours["seconds"]) < 1.2 * result["matrix_rate"]
    assert result["case"]["data"] == kind
    assert list(result["sides"]) == ["tiebreak"]


@pytest.mark.endurance
def test_all_sides_do_the_same_work(shared_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="needs TRL: pip install 'tiebreak[dev]'")
    best = {"settings": {"per_device_train_batch_size": 1}, "environment": {"MALLOC_MMAP_MAX_": "0"}}
    tuned = tmp_path / "tuned.json"
    tuned.write_text(json.dumps({"tiny-long-fp32-full-4-a-step": {"best": best}}))
    flags = ("--steps", "2", "--rounds", "2", "--kind", "long", "--max-length", "768", "--tuned", str(tuned))
    result = result_of(tmp_path / "results", *flags)
    first, second = result["rounds"]
    assert set(first) == set(second) == {"tiebreak", "packed", "trl", "trl-tuned"}
    assert list(first) != list(second)  # in turn
    assert len({one["ids"] for sides in result["rounds"] for one in sides.values()}) == 1
    assert result["sides"]["trl-tuned"] == best
    for side in first.values():
        assert side["losses"] == pytest.approx(first["tiebreak"]["losses"], rel=1e-4)
