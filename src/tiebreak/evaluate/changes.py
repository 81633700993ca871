"""What else changed in a model's answers, beside what a judge says: length, repetition, ends, refusals.

`perplexity` adds a line on the model itself.

A refusal is an answer that has one of the phrases of `REFUSALS` in its first 200 characters: a count of phrases, which
misses refusals in other words and in other languages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tiebreak.evaluate.answers import repetition
from tiebreak.evaluate.bootstrap import Estimate, mean_over_prompts

REFUSALS = (
    *("i can't", "i cannot", "i can not", "i won't", "i will not", "i'm not able to", "i am not able to"),
    *("i'm unable to", "i am unable to", "i'm sorry, but", "i am sorry, but", "sorry, but i", "i must decline"),
    *("i'd rather not", "i would rather not", "not comfortable", "as an ai"),
)
_BEGINNING = 200


@dataclass(frozen=True)
class Change:
    """One trait of two models, or of their answers to the same prompts.

    Attributes:
        name: what is measured.
        before, after: means over the answers.
        difference: after less before, with the interval of a bootstrap over prompts.
        share: whether it is a share, and not a number.
        unit: of the difference, where it is not that of `before` and `after`.
    """

    name: str
    before: float
    after: float
    difference: Estimate
    share: bool
    unit: str | None = None


def refuses(answer: str) -> bool:
    """Whether an answer has a phrase of refusals near its beginning."""
    beginning = answer[:_BEGINNING].lower().replace("’", "'")
    return any(phrase in beginning for phrase in REFUSALS)


def changes(
    before: Sequence[str],
    after: Sequence[str],
    *,
    tokens: tuple[Sequence[int], Sequence[int]],
    ended: tuple[Sequence[bool], Sequence[bool]],
    seed: int = 0,
) -> tuple[Change, ...]:
    """The table of what changed.

    Args:
        before, after: answers of two models to the same prompts, at least one.
        tokens, ended: of both, how many tokens each answer has, and whether it ended by itself.
        seed: of the bootstrap.
    """

    def change(name: str, first: Sequence[float], second: Sequence[float], *, share: bool = True) -> Change:
        lead = [new - old for old, new in zip(first, second, strict=True)]
        many = len(lead)
        return Change(name, sum(first) / many, sum(second) / many, mean_over_prompts(lead, seed=seed), share)

    def each(of: Callable[[str], float]) -> tuple[list[float], list[float]]:
        return [float(of(answer)) for answer in before], [float(of(answer)) for answer in after]

    return (
        change("tokens of an answer", *tokens, share=False),
        change("repeated 4-grams", *each(partial(repetition, words=4))),
        change("ends by itself", *([float(end) for end in ends] for ends in ended)),
        change("refusals, by phrase", *each(refuses)),
    )
