"""The ballot of Compare: its buttons and fields on the page, and a vote on its way into the store."""

from __future__ import annotations

from typing import Any, NamedTuple

import gradio as gr

from tiebreak.errors import InputError
from tiebreak.serve.pages.blind import VERDICT_NAMES, Comparison
from tiebreak.serve.pages.compare_view import KEYS_HINT
from tiebreak.serve.settings import PageSettings
from tiebreak.votes.store import VoteStore
from tiebreak.votes.vote import Verdict, Vote

_TAKEN_BACK = "You have withdrawn the vote on these answers. Ask for two new ones."


class Ballot(NamedTuple):
    """The parts of a ballot.

    Attributes:
        column: that holds all of them, hidden until there is something to vote on.
        reason, edited: texts that a voter may add.
        buttons: one a verdict.
    """

    column: Any
    reason: Any
    edited: Any
    buttons: dict[Verdict, Any]


def ballot(settings: PageSettings) -> Ballot:
    """Put a ballot on the page that is being built."""
    with gr.Column(visible=False, elem_id="compare-vote") as column:
        with gr.Row(elem_classes="tb-verdicts"):
            buttons = {verdict: gr.Button(label, elem_id=f"vote-{verdict}") for verdict, label in VERDICT_NAMES.items()}
        gr.HTML(KEYS_HINT)
        with gr.Accordion("Say why, or write a better answer (optional)", open=False):
            reason = gr.Textbox(label="Why?", lines=2, max_length=settings.max_reason_chars, elem_id="compare-reason")
            edited = gr.Textbox(
                label="A better answer",
                info="What the model should have said; it becomes the chosen answer in training.",
                lines=4,
                max_length=settings.max_edited_chars,
                elem_id="compare-edited",
            )
    return Ballot(column, reason, edited, buttons)


def keep_vote(store: VoteStore, comparison: Comparison, vote: Vote, *, a_minute: int) -> None:
    """Write a vote; whoever clicks twice has voted already, and is shown what was kept.

    Args:
        store: gets the vote.
        comparison: that it is on; it knows afterwards what was voted.
        vote: of `vote_on`.
        a_minute: as of `VoteStore.add`.
    Raises:
        InputError: the vote was withdrawn, or cannot be kept.
    """
    if not store.add(vote, a_minute=a_minute):
        there = store.get(vote.id)
        if there is None or there.withdrawn:
            raise InputError(_TAKEN_BACK)
        vote = there
        if comparison.open is not None:  # voted on in another window, where the answers may have stood otherwise
            comparison.place(there.left, there.right)
    comparison.vote = vote
