"""What holds for every test: no network, no writing into the user's folders, one way of counting threads."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# The models of the tests are tiny: threads that wait for each other would take most of the time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same cases each time, so that a change is judged by itself; `make fuzz` looks for new ones.
hypothesis.settings.register_profile("repeatable", derandomize=True, database=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

REPOSITORY = Path(__file__).parent.parent
REAL_MODEL = REPOSITORY / ".cache" / "SmolLM2-135M-Instruct"
SHARED = REPOSITORY.parent / "shared" / "data"
_WHERE_FROM = (
    f"no real data in {SHARED}: put harmless-base/test.jsonl.gz of the data set Anthropic/hh-rlhf there as "
    "hh-rlhf/harmless-base-test.jsonl.gz, and vocab.json and merges.txt of openai-community/gpt2 into gpt2-tokenizer/"
)


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches and data of a test session lie in a temporary folder."""
    base = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("TIEBREAK_CACHE", str(base / "tiebreak-cache"))
    monkeypatch.setenv("TIEBREAK_DATA", str(base / "tiebreak-data"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(base / "datasets-cache"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Published data for tests, where it is at hand."""
    if not SHARED.is_dir():
        pytest.skip(_WHERE_FROM)
    return SHARED


@pytest.fixture(scope="session")
def real_model() -> Path:
    """A small model with real weights: the one that TIEBREAK_REAL_MODEL names, else what `make real-model` leaves."""
    named = os.environ.get("TIEBREAK_REAL_MODEL")
    folder = Path(named).expanduser() if named else REAL_MODEL
    if not (folder / "config.json").is_file():
        missing = f"{folder} holds no model: TIEBREAK_REAL_MODEL names it"
        if named:
            pytest.fail(missing)
        pytest.skip("no real model: `make real-model` fetches one, or TIEBREAK_REAL_MODEL names the folder of another")
    return folder
