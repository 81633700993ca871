"""The part of Compare that offers open comparisons: answers of evaluations, which stand already and wait for votes.

Knows how many wait for a voter, and which comes next; what is done with it is the page's.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import gradio as gr

from tiebreak.errors import TiebreakError
from tiebreak.serve.pages.blind import Comparison, standing_comparison
from tiebreak.serve.pages.context import PageContext, Session
from tiebreak.serve.pages.markup import escaped
from tiebreak.votes.open_comparisons import Waiting
from tiebreak.votes.voters import known_voter, voter_of


class WaitingPart:
    """A line that says how many comparisons wait for the voter, and a button that shows one; neither where none does.

    Args:
        context: what every page is built from.
    """

    def __init__(self, context: PageContext) -> None:
        self._context = context
        with gr.Row(visible=False, elem_classes="tb-waiting", elem_id="compare-waiting") as self.row:
            self.words = gr.HTML("")
            self.next = gr.Button("Next Comparison", elem_id="compare-waiting-next")
        self.shown = [self.row, self.words]

    def view(self, voter: Any) -> dict[Any, Any]:
        """What the line says to a voter, by the key that the browser sent."""
        votes, found = self._context.votes, Waiting(0, 0)
        if votes is not None:
            with suppress(TiebreakError):  # the tally says that the votes cannot be read
                found = votes.open_comparisons.waiting(_name(voter))
        return {self.row: gr.update(visible=found.comparisons > 0), self.words: waiting_html(found)}

    def following(self, session: Session, voter: Any) -> Comparison | None:
        """The next comparison for a voter; None where none waits."""
        votes = self._context.votes
        if votes is None:
            return None
        found = votes.open_comparisons.next(_name(voter), session.passed, self._context.draws)
        if found is None:
            return None
        session.passed.add(found.id)
        return standing_comparison(found, self._context.draws)


def waiting_html(found: Waiting) -> str:
    """How many comparisons wait for a voter; empty where none does."""
    if not found.comparisons:
        return ""
    one = found.comparisons == 1
    said = f"{found.comparisons:,} comparison{'' if one else 's'} from evaluations wait{'s' * one} for your vote"
    if found.unanswered == found.comparisons:
        rest = f"nobody has voted on {'it' if one else 'them'} yet"
    elif found.unanswered:
        rest = f"nobody has voted on {found.unanswered:,} of them yet"
    else:
        rest = f"others have voted on {'it' if one else 'all of them'}"
    keys = '<span class="tb-keys"> Key: <kbd>n</kbd> next.</span>'
    return f'<p class="tb-quiet">{escaped(f"{said}; {rest}.")}{keys}</p>'


def _name(voter: Any) -> str | None:
    key = known_voter(voter)
    return None if key is None else voter_of(key)
