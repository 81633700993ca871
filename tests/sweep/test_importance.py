"""What a key decides: most where it decides, about nothing where chance does, and not at all of too few trials."""

from __future__ import annotations

import math
import random
from typing import Any

from tiebreak.recipe.space import Choices, Dimension, Span
from tiebreak.sweep.importance import importances
from tiebreak.sweep.study import Trial

SPACE: dict[str, Dimension] = {
    "rate": Span(1e-7, 1e-5, log=True),
    "size": Choices((1, 2, 4)),
    "name": Choices(("a", "b")),
}


def trials(count: int, *, rate: float = 0.0, size: float = 0.0, noise: float = 0.01) -> list[Trial]:
    draw, found = random.Random(0), []
    for number in range(count):
        settings: dict[str, Any] = {"rate": SPACE["rate"].at(draw.random()) if isinstance(SPACE["rate"], Span) else 0}
        settings |= {"size": draw.choice((1, 2, 4)), "name": draw.choice("ab")}
        loss = rate * (math.log10(settings["rate"]) + 6) ** 2 + size * (settings["size"] == 2) + draw.gauss(0, noise)
        found.append(Trial(number, settings, "finished", (loss,)))
    return found


def test_what_decides_comes_first_with_its_interval() -> None:
    """The best rate lies in the middle, which a straight line would not see."""
    first, *others = importances(SPACE, trials(40, rate=1.0))
    assert first.key == "rate"
    assert first.low <= first.share <= first.high
    assert first.share > 0.95
    assert all(each.share < 0.3 for each in others)
    assert importances(SPACE, trials(40, size=1.0))[0].key == "size"


def test_of_chance_nothing_decides_and_few_trials_are_uncertain() -> None:
    assert all(each.share < 0.25 for each in importances(SPACE, trials(60)))
    few, many = (importances(SPACE, trials(count, rate=1.0, noise=0.3))[0] for count in (8, 60))
    assert few.high - few.low > many.high - many.low


def test_nothing_is_said_of_too_few_trials_or_equal_ones() -> None:
    assert importances(SPACE, trials(3)) == []
    assert importances(SPACE, trials(10, noise=0.0)) == []
    failed = [Trial(number, {}, "failed", None) for number in range(9)]
    assert importances(SPACE, failed) == []
