"""What a run tells a tracker, and the form that the clients of all trackers have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

PROJECT = "tiebreak"
COLUMNS = ("prompt", "chosen", "rejected", "before", "after", "before_passed", "after_passed")


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker is told of a run.

    Attributes:
        name: of the run folder.
        folder: the tracker's own, there already.
        config: the recipe, nested.
        recipe: the recipe as YAML.
    """

    name: str
    folder: Path
    config: dict[str, Any]
    recipe: str


class Client(Protocol):
    """A run in a tracker.

    Attributes:
        id: by which a later session finds the run again.
        where: the run is shown, in words for the user.
    """

    id: str
    where: str

    def log(self, step: int, row: Mapping[str, Any]) -> None:
        """Add a row of metrics.jsonl."""

    def show(self, step: int, figures: Mapping[str, float], samples: Sequence[Mapping[str, Any]], report: Path) -> None:
        """Add the final figures, the samples as a table, and the report."""

    def close(self, failed: bool) -> None:
        """End the run and send what is left."""


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings under dotted names, `train.learning_rate`."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found


def table_of(samples: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """Samples as rows of `COLUMNS`."""
    return [[row.get(name) for name in COLUMNS] for row in samples]


def is_number(value: Any) -> bool:
    """Whether a value of a row is a metric."""
    return isinstance(value, int | float) and not isinstance(value, bool)
