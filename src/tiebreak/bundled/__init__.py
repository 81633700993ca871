"""The tiny assistant that comes with Tiebreak: a base model, preferences and a judge for a world small enough to check.

This module knows only where the packaged files are. `judge` judges answers, `vote` lets it vote, and the room `make`
makes the files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_HERE = Path(__file__).parent


def base_model_path() -> Path:
    """The folder of the base model, as `from_pretrained` reads it."""
    return _HERE / "base"


def preferences_path(split: Literal["train", "held_out"]) -> Path:
    """The gzipped JSON lines of one split of the preferences."""
    return _HERE / "preferences" / f"{split}.jsonl.gz"
