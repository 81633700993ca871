"""Real preferences, where they are at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.files import load
from tiebreak.data.load import LoadedPreferences


@pytest.fixture
def harmless(shared_data: Path) -> LoadedPreferences:
    """The harmless test split of Anthropic/hh-rlhf."""
    return load(shared_data / "hh-rlhf" / "harmless-base-test.jsonl.gz")
