"""What a judge is: it gets comparisons of two answers to one prompt, and gives verdicts.

A verdict is 1 where the first answer is better, 0 where the second one is, one half for a tie, and None where the judge
gave none; why stands in the notes. Where several people judge, it is their mean.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tiebreak.data.preference import Message

Prompt = Sequence[Message]
Score = float | bool | None
"""Of one answer: a number, the higher the better; True where it passes; None where the judge gave none."""
Asked = tuple[Prompt, str]
"""A prompt and an answer to it."""
OnProgress = Callable[[int], None]


def quiet(done: int) -> None:
    """For whoever does not want to know how far it is."""


@dataclass(frozen=True)
class Comparison:
    """Two answers to one prompt.

    Attributes:
        prompt: the conversation before them.
        first, second: the answers.
        tools: that they could call, as JSON text; None where there are none.
    """

    prompt: Prompt
    first: str
    second: str
    tools: str | None = None


@dataclass(frozen=True)
class Cost:
    """What it takes to judge some comparisons.

    Attributes:
        calls: requests that are still to be made; those whose reply is kept are not among them.
        kept: replies that are kept.
        tokens_in, tokens_out: of these calls, about and at most.
    """

    calls: int
    kept: int
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True)
class Verdicts:
    """What a judge says of comparisons, in their order.

    Attributes:
        points: 1, 0, one half, or None; between 0 and 1 where it is the mean of several people.
        first, second: the scores of the answers, by a judge of single ones.
        notes: why comparisons have no verdict, and what else is worth knowing, with how many it concerns.
        consistent: share of the comparisons asked in both orders in which the verdict was the same; None where the
            order does not matter, or none was asked in both.
        first_place: among those, the share of replies for whichever answer stood first, a tie being half.
        waiting: comparisons that people were asked about and have not answered yet.
    """

    points: tuple[float | None, ...]
    first: tuple[Score, ...] | None = None
    second: tuple[Score, ...] | None = None
    notes: Mapping[str, int] = field(default_factory=dict)
    consistent: float | None = None
    first_place: float | None = None
    waiting: int = 0

    @property
    def judged(self) -> int:
        """How many comparisons have a verdict."""
        return sum(point is not None for point in self.points)


class Judge(Protocol):
    """A judge of pairs."""

    @property
    def name(self) -> str:
        """As it is shown."""

    @property
    def record(self) -> Mapping[str, Any]:
        """What says which judge it was, for whoever repeats it; no secrets."""

    def cost(self, comparisons: Sequence[Comparison]) -> Cost | None:
        """What it takes; None where it costs nothing but time."""

    def compare(self, comparisons: Sequence[Comparison], progress: OnProgress = quiet) -> Verdicts:
        """Judge comparisons.

        Args:
            comparisons: in any order; the same one twice is judged once.
            progress: called with the number done so far.
        """


@dataclass(frozen=True)
class PointwiseJudge:
    """A judge of single answers, each by itself.

    Attributes:
        name: as it is shown.
        score: the scores of some answers, in their order, and notes on those without one.
        record: as of `Judge`.
    """

    name: str
    score: Callable[[Sequence[Asked], OnProgress], tuple[list[Score], Mapping[str, int]]]
    record: Mapping[str, Any] = field(default_factory=dict)

    def scores(self, asked: Sequence[Asked], progress: OnProgress = quiet) -> tuple[list[Score], Mapping[str, int]]:
        """The scores of answers, each different one scored once, and notes."""
        places = list(dict.fromkeys((tuple(prompt), answer) for prompt, answer in asked))
        found, notes = self.score(places, progress)
        known = dict(zip(places, found, strict=True))
        return [known[tuple(prompt), answer] for prompt, answer in asked], notes

    def cost(self, comparisons: Sequence[Comparison]) -> Cost | None:
        """Nothing but time."""
        return None

    def compare(self, comparisons: Sequence[Comparison], progress: OnProgress = quiet) -> Verdicts:
        """The answer with the higher score is better."""
        both = [(each.prompt, answer) for each in comparisons for answer in (each.first, each.second)]
        found, notes = self.scores(both, progress)
        first, second = tuple(found[::2]), tuple(found[1::2])
        points = tuple(map(by_scores, first, second))
        return Verdicts(points, first, second, notes)


def by_scores(first: Score, second: Score) -> float | None:
    """The verdict of two scores."""
    if first is None or second is None:
        return None
    return 0.5 + 0.5 * ((first > second) - (first < second))


def pass_fail(scores: Sequence[Score] | None) -> bool:
    """Whether a judge only said of each answer whether it passes."""
    return scores is not None and len(scores) > 0 and all(isinstance(score, bool) for score in scores)


def one_by_one(judge: Callable[[Prompt, str], Any], read: Callable[[Any, Prompt], Score]) -> Callable[..., Any]:
    """The scores of answers that are judged one after the other.

    Args:
        judge: what is called.
        read: from what it gives to a score; it raises an error with the prompt for what is none.
    """

    def score(asked: Sequence[Asked], progress: OnProgress) -> tuple[list[Score], Mapping[str, int]]:
        found, notes = [], Counter[str]()
        for number, (prompt, answer) in enumerate(asked, start=1):
            found.append(read(judge(prompt, answer), prompt))
            progress(number)
        missing = sum(each is None for each in found)
        if missing:
            notes["answers without a score"] = missing
        return found, notes

    return score


def is_score(value: object) -> bool:
    """Whether a value is a score that can be compared: a truth value or a finite number."""
    return isinstance(value, bool) or (isinstance(value, int | float) and math.isfinite(value))
