"""The sides of a comparison, each run in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from job import Job

HERE = Path(__file__).parent

# What `tiebreak` does to its own process, a knowing user can ask of the C library for any other.
KEPT_MEMORY: Mapping[str, str] = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "1000000000000",
    "THP_MEM_ALLOC_ENABLE": "1",
}


@dataclass(frozen=True)
class Side:
    """One trainer with its settings.

    Attributes:
        name: in results and tables.
        script: beside this file; it takes a job and prints an answer.
        settings: of the trainer's own, over the job's.
        environment: of the process.
    """

    name: str
    script: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


TIEBREAK = Side("tiebreak", "side_tiebreak.py")
TRL = Side("trl", "side_trl.py")
PACKED = Side("packed", "side_packed.py")


class SideFailed(SystemExit):
    """A side that ended with an error; `said` is the end of what it wrote."""

    def __init__(self, what: str, said: str) -> None:
        super().__init__(what)
        self.said = said


def run_side(side: Side, job: Job, out: Path, timeout: float | None = None) -> dict[str, Any]:
    """Run one side in a process of its own and read its answer.

    Args:
        side: which, and how.
        job: the run.
        out: folder for whatever it writes; caches are beside it.
        timeout: seconds after which it is ended.
    Raises:
        SideFailed: it failed; what it said stands above.
        subprocess.TimeoutExpired: it was not done in time.
    """
    out.mkdir(parents=True)
    mine = replace(job, out=str(out / "run"), settings=dict(side.settings))
    quiet = {"TIEBREAK_CACHE": str(out / "cache"), "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
    done = subprocess.run(
        [sys.executable, str(HERE / side.script), mine.to_argv()],
        capture_output=True,
        timeout=timeout,
        env={**os.environ, **quiet, **side.environment},
        text=True,
        check=False,
    )
    sys.stderr.write(done.stderr)
    if done.returncode:
        raise SideFailed(f"{side.name} ({side.script}) ended with {done.returncode}", done.stderr[-4000:])
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
