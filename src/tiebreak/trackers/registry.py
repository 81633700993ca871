"""The trackers that a run can be shown in. Adding one is an entry here, and a client in `clients` or beside it.

Recipes, `--track` and the message about a missing extra read this table. Knows names only: no client is imported.
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tiebreak.errors import InputError


@dataclass(frozen=True)
class Tracker:
    """A tracker.

    Attributes:
        name: in recipes and on the command line; also of the extra that installs it.
        title: what it calls itself.
        package: that its client imports.
        client: the class of its client (see `clients.Client`), as `module:attribute`.
    """

    name: str
    title: str
    package: str
    client: str


_ALL = (
    Tracker("wandb", "Weights & Biases", "wandb", "tiebreak.trackers.clients:Wandb"),
    Tracker("trackio", "Trackio", "trackio", "tiebreak.trackers.clients:Trackio"),
    Tracker("tensorboard", "TensorBoard", "tensorboard", "tiebreak.trackers.tensorboard:TensorBoard"),
    Tracker("mlflow", "MLflow", "mlflow", "tiebreak.trackers.clients:MLflow"),
)
TRACKERS: Mapping[str, Tracker] = MappingProxyType({tracker.name: tracker for tracker in _ALL})


def known_tracker(name: str) -> str:
    """The name, if there is such a tracker.

    Raises:
        ValueError: there is none; the nearest one is proposed.
    """
    if name not in TRACKERS:
        near = difflib.get_close_matches(name, TRACKERS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(TRACKERS)}"
        raise ValueError(f"there is no tracker '{name}'; {hint}")
    return name


def check_trackers(names: Iterable[str]) -> None:
    """Make sure that every tracker's package is installed, without importing any.

    Args:
        names: of the recipe's `track`.
    Raises:
        InputError: one is not installed.
    """
    for name in names:
        tracker = TRACKERS[name]
        if not _installed(tracker.package):
            raise InputError(
                f"The tracker '{name}' is not installed.", where="track", fix=f'pip install "tiebreak[{name}]"'
            )


def _installed(package: str) -> bool:
    # A mere folder of that name (wandb makes one where it is started) is found too, but has no file of its own.
    found = importlib.util.find_spec(package)
    return found is not None and found.origin is not None
