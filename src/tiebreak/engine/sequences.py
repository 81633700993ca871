"""What is scored: groups of token sequences that share a prompt. Knows nothing of how they are laid out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScoredGroup:
    """A prompt and its endings, as token ids: two endings for a pair, one for a demonstration, or more.

    Attributes:
        prompt: ids of the prompt, at least one.
        endings: ids of each ending, at least one each; only these are scored.
        row: index of the group in its data set, for messages and lookups.
    """

    prompt: tuple[int, ...]
    endings: tuple[tuple[int, ...], ...]
    row: int = 0

    @property
    def longest(self) -> int:
        """Tokens of its longest sequence."""
        return len(self.prompt) + max(map(len, self.endings))

    @property
    def tokens(self) -> int:
        """Tokens when the prompt is stored once: an upper bound of what its tree holds."""
        return len(self.prompt) + sum(map(len, self.endings))


def group_of(prompt: Iterable[int], endings: Sequence[Iterable[int]], row: int = 0) -> ScoredGroup:
    """A group from any iterables of ids.

    Raises:
        ValueError: the prompt or an ending is empty; the first ending's token could not be predicted.
    """
    group = ScoredGroup(tuple(prompt), tuple(tuple(ending) for ending in endings), row)
    if not group.prompt or not group.endings or not all(group.endings):
        raise ValueError(f"row {row}: a prompt and every ending need at least one token")
    return group
