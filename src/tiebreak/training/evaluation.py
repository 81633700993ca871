"""What an evaluation says beside its means: how far it is, and each example's log-probs and rewards.

Knows neither a model nor a loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from torch import Tensor

from tiebreak.training.examples import Example

Evaluating = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""Watches an evaluation: takes how many examples it has, and gives what is called with how many are done."""


_REWARDS = ("rewards/chosen", "rewards/rejected")


@contextmanager
def unseen(_: int) -> Iterator[Callable[[int], None]]:
    """An evaluation that nobody watches."""
    yield lambda _: None


@dataclass(frozen=True)
class Evaluated:
    """The examples of the newest evaluation.

    Attributes:
        logps: log-probs of the completions of each example in nats, shape (examples, completions), in their own order.
        rewards: of the chosen and of the rejected completion of each example, in the same order, NaN for the one that
            an unpaired completion has not; None where rewards are not measured.
    """

    logps: tuple[tuple[float, ...], ...]
    rewards: tuple[tuple[float, float], ...] | None = None

    @classmethod
    def of(cls, seen: Sequence[Example], logp: Tensor, metrics: Mapping[str, Tensor]) -> Evaluated:
        """From what was scored.

        Args:
            seen: the examples, in the order in which they were scored.
            logp: of all their completions, example by example, shape (sequences,).
            metrics: of each example, by name, each of shape (examples,).
        """
        rows = logp.detach().float().cpu().view(len(seen), -1).tolist()
        order = sorted(range(len(seen)), key=lambda i: seen[i].group.row)
        rewards = None
        if all(name in metrics for name in _REWARDS):
            chosen, rejected = (metrics[name].float().cpu().tolist() for name in _REWARDS)
            rewards = tuple((chosen[i], rejected[i]) for i in order)
        return cls(tuple(tuple(rows[i]) for i in order), rewards)
