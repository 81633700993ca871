"""How fast a run goes: examples and tokens a second of its steps, the memory that it holds, and the time left.

Knows clocks and counts; shows nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil
import torch


@dataclass(frozen=True)
class Speed:
    """How fast some steps were.

    Attributes:
        examples, tokens: a second of their own time, evaluations and saving aside; tokens are those that were computed.
        memory: bytes; of a GPU what tensors took at most, else what the process holds.
        left: seconds until the last step, at the pace of the session so far, evaluations and saving included.
    """

    examples: float
    tokens: float
    memory: int
    left: float


class Pace:
    """Counts steps and their time.

    Args:
        clock: gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.first = self.step = self.steps = 0
        self.began = self.step_began = clock()
        self._clear()

    def begin(self, step: int, steps: int) -> None:
        """A session begins.

        Args:
            step: how many were done in earlier ones.
            steps: of the whole run.
        """
        self.first = self.step = step
        self.steps = steps
        self.began = self.step_began = self.clock()
        self._clear()

    def begin_step(self) -> None:
        """A step begins."""
        self.step_began = self.clock()

    def end_step(self, step: int, examples: int, tokens: int) -> None:
        """A step is done, which had so many examples and computed so many tokens."""
        self.step = step
        self._seconds += self.clock() - self.step_began
        self._examples += examples
        self._tokens += tokens

    def take(self) -> Speed | None:
        """The speed of the steps since it was last asked; None where there was none."""
        if not self._examples or self._seconds <= 0:
            return None
        each = (self.clock() - self.began) / (self.step - self.first)
        left = each * (self.steps - self.step)
        found = Speed(self._examples / self._seconds, self._tokens / self._seconds, memory_held(), left)
        self._clear()
        return found

    def _clear(self) -> None:
        self._seconds = 0.0
        self._examples = self._tokens = 0


def memory_held() -> int:
    """Bytes that tensors took on the GPU at most; without one, bytes that the process holds now."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return int(psutil.Process().memory_info().rss)
