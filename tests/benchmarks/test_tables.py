"""The published table says what the result files say."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import REPOSITORY

CODE = """
import json, sys
sys.path.insert(0, {folder!r})
from tables import PAGE, page, read_results
written = PAGE.read_text(encoding="utf-8")
sys.exit(0 if page(written, read_results()) == written else "behind")
"""


def test_the_table_is_that_of_the_results() -> None:
    folder = str(REPOSITORY / "benchmarks")
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(folder=folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stderr}: run python benchmarks/tables.py"
