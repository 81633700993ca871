"""The prompts that a team compares answers to: which come next for a voter, and how many are done."""

from __future__ import annotations

from collections.abc import Sequence

from tiebreak.errors import TiebreakError
from tiebreak.serve.pages.compare_view import progress_html
from tiebreak.votes.count import RunningCount, prompt_digest
from tiebreak.votes.vote import Turn
from tiebreak.votes.voters import voter_of


class Agenda:
    """What is to be voted on.

    Args:
        prompts: in their order; none is no agenda.
        running: the count of the votes; None where none are kept, so that nothing is ever done.
    """

    def __init__(self, prompts: Sequence[tuple[Turn, ...]], running: RunningCount | None) -> None:
        self._running = running
        self._digests = [prompt_digest(prompt) for prompt in prompts]

    def next(self, key: str | None, skipped: set[int]) -> int | None:
        """The first prompt that a voter has neither voted on nor gone past; None where all are voted on.

        Args:
            key: the voter's.
            skipped: what was gone past; emptied where nothing else is left, so that it comes again.
        """
        done = self._done(key)
        left = [number for number, digest in enumerate(self._digests) if digest not in done]
        if left and skipped.issuperset(left):
            skipped.clear()
        return next((number for number in left if number not in skipped), None)

    def html(self, key: str | None) -> str:
        """How many are done; empty where there are none."""
        try:
            done = self._done(key)
        except TiebreakError:  # the tally says that the votes cannot be read
            return ""
        return progress_html(sum(digest in done for digest in self._digests), len(self._digests))

    def _done(self, key: str | None) -> frozenset[bytes]:
        if self._running is None or key is None or not self._digests:
            return frozenset()
        return self._running.prompts_of(voter_of(key))
