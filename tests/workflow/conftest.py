"""Small runs in this process: the bundled model, a few pairs, a few steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.votes.conftest import postgres, url
from tiebreak.recipe import Recipe
from tiebreak.workflow.run import Run
from tiebreak.workflow.train import train

__all__ = ["postgres", "url"]

SMALL: dict[str, Any] = {
    "model.name": "bundled:base",
    "data.source": "bundled:preferences",
    "data.limit": 64,
    "data.eval_limit": 16,
    "data.max_length": 128,
    "train.max_steps": 4,
    "train.batch_size": 8,
    "train.learning_rate": 1e-3,
    "train.log_every": 1,
    "train.eval_every": 2,
    "train.save_every": 2,
    "train.warmup_ratio": 0.0,
    "train.keep_best": None,
    "evaluate.samples": 1,
    "evaluate.judge": "none",
    "evaluate.max_new_tokens": 4,
}

Small = Callable[..., Run]


def small_recipe(**changes: Any) -> Recipe:
    """A recipe of a run of a second; keys with two underscores for dots."""
    return Recipe().with_settings({**SMALL, **{key.replace("__", "."): value for key, value in changes.items()}})


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of reference log-probs and tokens for all small runs."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def small(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Small:
    """Train small recipes, each into a folder of its own."""
    monkeypatch.setenv("TIEBREAK_CACHE", str(cache))

    def run(name: str = "run", **changes: Any) -> Run:
        return train(small_recipe(**changes), out=tmp_path / name)

    return run
