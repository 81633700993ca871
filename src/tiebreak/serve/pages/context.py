"""What every page is built from, and what the server remembers of one that is open.

What is remembered stays on the server. In particular the names behind a comparison never reach the browser before the
vote.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tiebreak.formatting.text import one_line
from tiebreak.serve.generation.engine import Engine, ServedModel
from tiebreak.serve.pages.blind import Comparison
from tiebreak.serve.pages.streaming import Draft
from tiebreak.serve.settings import PageSettings
from tiebreak.votes.store import VoteStore


@dataclass(frozen=True)
class PageContext:
    """What every page is built from.

    Attributes:
        engine: that generates.
        votes: the store; None where none are collected.
        runs: the folder of runs.
        settings: of the pages.
        draws: shuffles the sides.
    """

    engine: Engine
    votes: VoteStore | None
    runs: Path
    settings: PageSettings
    draws: Random

    def choices(self) -> list[tuple[str, str]]:
        """The served models for a list to choose from: what is shown, and the name."""
        models = self.engine.models()
        titles = [one_line(model.title, 60) for model in models]
        return [
            (title if titles.count(title) == 1 else f"{title} ({one_line(model.name, 60)})", model.name)
            for title, model in zip(titles, models, strict=True)
        ]

    def base_of(self, model: ServedModel) -> ServedModel | None:
        """The model that it was trained from, where that is served."""
        return next((one for one in self.engine.models() if one.name == model.base), None)

    def first_two(self) -> tuple[ServedModel, ServedModel]:
        """What the pages begin with: the first model that is no other's base, and its base or the next model."""
        models = self.engine.models()
        bases = {model.base for model in models}
        first = next((model for model in models if model.name not in bases), models[0])
        others = [model for model in models if model != first]
        return first, self.base_of(first) or (others[0] if others else first)


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
class Session:
    """What the server remembers of one open page: its conversation, its comparison, where it stands in the votes.

    Attributes:
        exchanges: the conversation.
        chat: what the browser keeps the conversation under; empty before its first message.
        editing: the message of the conversation that is being edited.
        comparison: the comparison that is shown.
        skipped: prompts of the team's file that the voter went past, by number.
        passed: open comparisons of the store that were shown here, by id.
        chat_stop, compare_stop: set when the user wants no more; None while nothing is generated.
        pages: id of the last vote of each page before the one that is shown.
        filtered: when the browser asked for the votes that are shown, in milliseconds of its own clock.
        chosen: id of the vote that is being corrected.
        run: the run that is shown.
        training: what was shown of the last training.
        seen: what the shown run looked like, so that nothing is drawn twice.
    """

    exchanges: list[Exchange] = field(default_factory=list)
    chat: str = ""
    editing: int | None = None
    comparison: Comparison | None = None
    skipped: set[int] = field(default_factory=set)
    passed: set[str] = field(default_factory=set)
    chat_stop: asyncio.Event | None = None
    compare_stop: asyncio.Event | None = None
    pages: list[str] = field(default_factory=list)
    filtered: float = 0.0
    chosen: str | None = None
    run: str | None = None
    training: object = None
    seen: object = None
