"""What runs of one process have in common, made once and kept: rows and tokens, weights, what was found out of them.

A run by itself shares nothing and keeps nothing. Reference log-probs are not kept here: their cache on the disk already
gives them to every run that needs the same ones. Knows neither data nor models, only what was made under which key.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from tiebreak.trackers.tracking import Group

T = TypeVar("T")


class Shared:
    """Keeps the newest of each kind of thing.

    Args:
        keeps: how many of each kind; of models the newest alone stays, since they are large.
        group: under which trackers show the runs together.
    """

    def __init__(self, keeps: int = 4, group: Group | None = None) -> None:
        self._keeps = keeps
        self.group = group
        self._kept: dict[str, dict[Hashable, Any]] = {}

    def once(self, kind: str, key: Hashable, make: Callable[[], T]) -> T:
        """What was made before under a key, or is made now. Nobody may change it.

        Args:
            kind: of thing.
            key: all that it depends on.
            make: makes it.
        """
        return self._found(kind, key, make, self._keeps)

    def copied(self, kind: str, key: Hashable, make: Callable[[], T]) -> T:
        """As `once`, of something that will be changed: each caller gets a copy, on the device that it lies on."""
        return copy.deepcopy(self._found(kind, key, make, 1))

    def _found(self, kind: str, key: Hashable, make: Callable[[], T], keeps: int) -> T:
        kept = self._kept.setdefault(kind, {})
        if key not in kept:
            while len(kept) >= keeps:  # before the new one is made: two models may be more than the memory holds
                kept.pop(next(iter(kept)))
            kept[key] = make()
        found: T = kept[key]
        return found


class NothingShared(Shared):
    """Of a run by itself: everything is made when it is asked for, and kept by whoever asked."""

    def once(self, kind: str, key: Hashable, make: Callable[[], T]) -> T:
        """What is made now."""
        return make()

    def copied(self, kind: str, key: Hashable, make: Callable[[], T]) -> T:
        """What is made now."""
        return make()


ALONE = NothingShared()
"""Shares nothing."""
