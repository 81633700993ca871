"""The sources that a recipe names, read and selected, in little memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.data.files import pairs, write
from tiebreak.data.preparing.gather import gather, held_out_source
from tiebreak.recipe import DataSection


def _prompts(dataset: Any) -> set[str]:
    return {json.dumps(row["prompt"]) for row in dataset}


def test_training_pairs_whose_prompt_is_held_out_are_dropped(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", pairs(10))
    write(tmp_path / "test.jsonl", pairs(12)[8:])
    _, chosen = gather(DataSection(source=str(tmp_path), eval_split="test"))
    assert chosen.report.dropped == {"the prompt is in the held-out set": 2}
    assert (chosen.report.train, chosen.report.held_out) == (8, 4)
    assert not _prompts(chosen.train) & _prompts(chosen.held_out)
    _, chosen = gather(
        DataSection(source=str(tmp_path / "train.jsonl"), eval_source=str(tmp_path / "test.jsonl"), eval_limit=3)
    )
    assert chosen.report.held_out == 3
    assert chosen.report.held_out_dropped == {"past data.eval_limit": 1}


def test_the_bundled_preferences_bring_their_own_held_out_split() -> None:
    spec = held_out_source(DataSection())
    assert spec is not None
    assert spec.split == "held_out"
    assert held_out_source(DataSection(eval_fraction=0)) is None
    assert held_out_source(DataSection(source="else.jsonl")) is None


SCRIPT = """
import sys
from pathlib import Path
from tiebreak.data.convert import write_rows
from tiebreak.data.preparing.gather import gather
from tiebreak.data.profile.measure import profile
from tiebreak.recipe import DataSection

loaded, selection = gather(DataSection(source=sys.argv[1]))
assert len(loaded.dataset) == int(sys.argv[2])
profile(loaded)
write_rows(loaded.dataset, Path(sys.argv[1] + ".out.jsonl"))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) // 1024)  # the peak; ru_maxrss would count the parent before exec
"""


def _peak_mebibytes(path: Path, count: int) -> int:
    words = " ".join(f"word{i}" for i in range(60))
    write(path, [{**row, "prompt": f"{row['prompt']} {words}"} for row in pairs(count)])
    command = [sys.executable, "-c", SCRIPT, str(path), str(count)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ)).stdout)


@pytest.mark.journey
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_160_000_pairs_are_read_selected_and_written_in_the_memory_of_2_000(tmp_path: Path) -> None:
    few = _peak_mebibytes(tmp_path / "few.jsonl", 2_000)
    many = _peak_mebibytes(tmp_path / "many.jsonl", 160_000)
    # What may grow are the digests and lengths of the pairs: about 100 bytes each, and what sorting them takes.
    # The texts themselves are 100 MiB here.
    assert many - few < 64
