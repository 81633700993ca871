from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.files import pairs, write

SCRIPT = """
import sys
from pathlib import Path
from tiebreak.data.convert import write_rows
from tiebreak.data.gather import gather
from tiebreak.data.profile import profile
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


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_160_000_pairs_are_read_selected_and_written_in_the_memory_of_2_000(tmp_path: Path) -> None:
    few = _peak_mebibytes(tmp_path / "few.jsonl", 2_000)
    many = _peak_mebibytes(tmp_path / "many.jsonl", 160_000)
    # What may grow are the digests and lengths of the pairs: about 100 bytes each, and what sorting them takes.
    # The texts themselves are 100 MiB here.
    assert many - few < 64
