"""Tasks of the tests' own in a folder of their own, with the data that they name."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

TASKS = Path(__file__).parent / "tasks"

needs_harness = pytest.mark.skipif(
    find_spec("lm_eval") is None, reason='needs lm-evaluation-harness: pip install "tiebreak[harness]"'
)


def own_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of tasks, which becomes the current one; `datasets` keeps what it reads beside it.

    Args:
        tmp_path, monkeypatch: of the test.
    """
    import datasets

    folder = tmp_path / "tasks"
    shutil.copytree(TASKS, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    return folder
