"""What rules look at: the log of a training, its recipe, data and answers, and what the user said of them.

All of it may be missing; a rule that needs what is not there says nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tiebreak.doctor.log import TrainingLog
from tiebreak.objectives.registry import plain_name
from tiebreak.recipe import Recipe
from tiebreak.runs.manifest import DataRecord
from tiebreak.runs.outcome import AnswersRecord

_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)([MB])(?![A-Za-z])", re.I)
_NAMED = {"gpt2": 124e6, "gpt2-medium": 355e6, "gpt2-large": 774e6, "gpt2-xl": 1.56e9, "bundled:base": 2e6}


@dataclass(frozen=True)
class Facts:
    """What is known of a run.

    Attributes:
        log: of its training.
        recipe: its settings.
        objective: name of its loss, as the user gave it; it goes before what recipe and log say.
        held_out: number of its held-out examples, as the user gave it or the run recorded it.
        parameters: of its model.
        data: what was read, dropped and counted of its data.
        answers: what its sampled answers are like before and after.
    """

    log: TrainingLog | None = None
    recipe: Recipe | None = None
    objective: str | None = None
    held_out: int | None = None
    parameters: int | None = None
    data: DataRecord | None = None
    answers: AnswersRecord | None = None

    @property
    def known_objective(self) -> str | None:
        """Name of the loss in the registry of objectives; None where nobody says it."""
        named = self.objective
        if named is None and self.recipe is not None:
            named = self.recipe.objective.name
        if named is None and self.log is not None:
            named = self.log.objective
        return None if named is None else str(plain_name(named))

    @property
    def held_out_examples(self) -> int | None:
        """How many held-out examples there are; None where nobody says it."""
        recorded = self.data.held_out if self.data is not None else None
        return self.held_out or recorded or (self.log.held_out if self.log is not None else None)

    @property
    def has_adapter(self) -> bool | None:
        """Whether an adapter is trained; None without a recipe."""
        return None if self.recipe is None else self.recipe.model.adapter is not None

    @property
    def rate(self) -> float | None:
        """The peak learning rate, of the recipe or else of the log; None where it is `auto` or unknown."""
        if self.recipe is not None and self.recipe.train.learning_rate != "auto":
            return float(self.recipe.train.learning_rate)
        rates = self.log.curve("learning_rate").values if self.log is not None else ()
        return max(rates, default=None) or None

    @property
    def size(self) -> float | None:
        """Parameters of the model: as counted, or else as its name says."""
        if self.parameters is not None:
            return self.parameters
        return None if self.recipe is None else size_in_name(self.recipe.model.name)


def size_in_name(name: str) -> float | None:
    """The number of parameters that a model's name says: 5e8 for `Qwen/Qwen2-0.5B-Instruct`.

    Args:
        name: Hub id or folder.
    Returns:
        The number; None where the name says none.
    """
    last = name.rstrip("/").rsplit("/", 1)[-1]
    if last in _NAMED:
        return _NAMED[last]
    found = _SIZE.search(last)
    return None if found is None else float(found[1]) * (1e9 if found[2].upper() == "B" else 1e6)
