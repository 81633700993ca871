"""What an evaluation says beside its means: how far it is, and each example's log-probs.

Knows neither a model nor a loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from torch import Tensor

from tiebreak.training.examples import Example

Evaluating = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""Watches an evaluation: takes how many examples it has, and gives what is called with how many are done."""


@contextmanager
def unseen(_: int) -> Iterator[Callable[[int], None]]:
    """An evaluation that nobody watches."""
    yield lambda _: None


@dataclass(frozen=True)
class Evaluated:
    """The examples of the newest evaluation.

    Attributes:
        logps: log-probs of the completions of each example in nats, shape (examples, completions), in their own order.
    """

    logps: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, seen: Sequence[Example], logp: Tensor) -> Evaluated:
        """From what was scored.

        Args:
            seen: the examples, in the order in which they were scored.
            logp: of all their completions, example by example, shape (sequences,).
        """
        rows = logp.detach().float().cpu().view(len(seen), -1).tolist()
        order = sorted(range(len(seen)), key=lambda i: seen[i].group.row)
        return cls(tuple(tuple(rows[i]) for i in order))
