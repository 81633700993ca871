"""What the server remembers of one open page: its conversation, its comparison, where it stands in the votes.

Kept on the server only. In particular the names behind a comparison never reach the browser before the vote.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tiebreak.serve.engine import ServedModel
from tiebreak.serve.pages.asking import Draft
from tiebreak.votes.vote import Answer, Turn, Vote


@dataclass
class Exchange:
    """A question and what was answered.

    Attributes:
        question: of the user.
        model: that answers.
        answer: so far.
        base: the model that the first one was trained from, where it answers too.
        before: its answer.
    """

    question: str
    model: ServedModel
    answer: Draft = field(default_factory=Draft)
    base: ServedModel | None = None
    before: Draft | None = None


@dataclass
class Round:
    """Two answers to one prompt, before the vote.

    Attributes:
        vote_id: drawn once, so that clicking twice votes once.
        prompt: the turns that were asked.
        drafts: the answers as they stand on the page, left and right.
        left, right: the same with their models, when both are whole.
        vote: what was voted.
    """

    vote_id: str
    prompt: tuple[Turn, ...]
    drafts: list[Draft] = field(default_factory=lambda: [Draft(), Draft()])
    left: Answer | None = None
    right: Answer | None = None
    vote: Vote | None = None


@dataclass
class Session:
    """One open page.

    Attributes:
        exchanges: the conversation.
        round: the comparison that is shown.
        chat_stop, round_stop: set when the user wants no more; None while nothing is generated.
        pages: id of the last vote of each page before the one that is shown.
        chosen: id of the vote that is being corrected.
        run: the run that is shown.
        seen: what the shown run looked like, so that nothing is drawn twice.
    """

    exchanges: list[Exchange] = field(default_factory=list)
    round: Round | None = None
    chat_stop: asyncio.Event | None = None
    round_stop: asyncio.Event | None = None
    pages: list[str] = field(default_factory=list)
    chosen: str | None = None
    run: str | None = None
    seen: object = None
