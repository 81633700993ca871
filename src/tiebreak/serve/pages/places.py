"""What every page is built from: the engine, the votes, the folder of runs, and the settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

from tiebreak.report.text import one_line
from tiebreak.serve.engine import Engine, ServedModel
from tiebreak.serve.pages.settings import PageSettings
from tiebreak.votes.store import VoteStore


@dataclass(frozen=True)
class Place:
    """Where the pages are.

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
