"""What holds for every test: no network, no writing into the user's folders, one way of counting threads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# The models of the tests are tiny: threads that wait for each other would take most of the time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPOSITORY = Path(__file__).parent.parent
SHARED = REPOSITORY.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches of a test session lie in a temporary folder."""
    base = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("TIEBREAK_CACHE", str(base / "tiebreak-cache"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(base / "datasets-cache"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data for tests, where it is at hand."""
    if not SHARED.is_dir():
        pytest.skip("the shared test data is not on this machine")
    return SHARED
