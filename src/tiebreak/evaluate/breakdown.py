"""Where a model is right and where not: accuracy by slices of the pairs, and beside rules that read nothing.

A slice is a set of pairs that are alike in one way: where they are from, of what kind they are, which completion is
longer, how many turns, how long the prompt. A rule prefers a completion without understanding it; a model that is no
better than the best of them has learned little.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from tiebreak.evaluate.bootstrap import Estimate, mean_over_prompts, means_over_prompts
from tiebreak.evaluate.length_control import length_controlled
from tiebreak.evaluate.measured_pairs import MeasuredPairs, preferred
from tiebreak.runs.outcome import BreakdownRecord

_PARTS = 4  # of the prompts by length
_MANY_TURNS = 4  # from here on in one slice
_MOST_NAMED = 12  # of the sources, and of the categories; the others are in one slice
_OTHERS, _NONE_GIVEN = "others", "none given"


@dataclass(frozen=True)
class Slice:
    """Pairs that are alike.

    Attributes:
        by, name: in what, and how.
        pairs, prompts: how many.
        accuracy: share in which the model prefers the chosen completion, a tie being half.
        loss: the objective's; None where it needs a reference and there is none.
    """

    by: str
    name: str
    pairs: int
    prompts: int
    accuracy: Estimate
    loss: Estimate | None


@dataclass(frozen=True)
class Rule:
    """A rule that prefers one of two completions without reading them, and how often the chosen one."""

    name: str
    accuracy: Estimate


@dataclass(frozen=True)
class Breakdown:
    """What stands behind an accuracy.

    Attributes:
        pairs, prompts: how many.
        measure: what says which completion the model prefers: its reward, or without a reference its log-prob.
        accuracy: with its interval, by a bootstrap over prompts.
        loss: likewise; None where it needs a reference and there is none.
        length_controlled: the accuracy at equal lengths; None where one side is longer in every pair.
        slices, rules: see there.
    """

    pairs: int
    prompts: int
    measure: str
    accuracy: Estimate
    loss: Estimate | None
    length_controlled: Estimate | None
    slices: tuple[Slice, ...]
    rules: tuple[Rule, ...]

    def record(self) -> BreakdownRecord:
        """As a manifest has it."""
        return BreakdownRecord.model_validate(asdict(self))


def broken_down(pairs: MeasuredPairs, *, seed: int = 0) -> Breakdown:
    """The breakdown of pairs that were measured, at least one.

    Args:
        pairs: the table.
        seed: of every bootstrap.
    """
    accuracy, loss = _accuracy_and_loss(pairs, seed)
    return Breakdown(
        pairs=len(pairs),
        prompts=len(set(pairs.prompts)),
        measure=pairs.measure,
        accuracy=accuracy,
        loss=loss,
        length_controlled=length_controlled(pairs.right, pairs.longer, pairs.prompts, seed=seed),
        slices=tuple(_slice(pairs.select(which), by, name, seed) for by, name, which in _slices(pairs)),
        rules=tuple(_rules(pairs, seed)),
    )


def _slice(pairs: MeasuredPairs, by: str, name: str, seed: int) -> Slice:
    return Slice(by, name, len(pairs), len(set(pairs.prompts)), *_accuracy_and_loss(pairs, seed))


def _accuracy_and_loss(pairs: MeasuredPairs, seed: int) -> tuple[Estimate, Estimate | None]:
    columns = [pairs.right] if pairs.loss is None else [pairs.right, pairs.loss]
    accuracy, *loss = means_over_prompts(columns, pairs.prompts, seed=seed)
    return accuracy, loss[0] if loss else None


def _slices(pairs: MeasuredPairs) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """What slices there are: their kinds in order, without empty ones, and without a kind that has one slice alone."""
    kinds = (
        *((by, _by_tag(of)) for by, of in pairs.tags.items()),
        ("longer completion", _by_longer(pairs)),
        ("turns of the user", _by_turns(pairs)),
        ("tokens of the prompt", _by_prompt(pairs)),
    )
    for by, slices in kinds:
        there = [(name, which) for name, which in slices if which.any()]
        if len(there) > 1:
            yield from ((by, name, which) for name, which in there)


def _by_tag(tags: Sequence[str | None]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """A slice of each tag, those of most pairs first; then what has another tag, then what has none."""
    counts = Counter(tag for tag in tags if tag is not None)
    named = sorted(counts, key=lambda tag: (-counts[tag], tag))[:_MOST_NAMED]
    numbers = {tag: number for number, tag in enumerate(named)}
    of = np.asarray([-1 if tag is None else numbers.get(tag, len(named)) for tag in tags])
    for number, tag in enumerate(named):
        yield f"'{tag}'" if tag in (_OTHERS, _NONE_GIVEN) else tag, of == number
    yield _OTHERS, of == len(named)
    yield _NONE_GIVEN, of == -1


def _by_longer(pairs: MeasuredPairs) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    yield "chosen", pairs.longer > 0
    yield "rejected", pairs.longer < 0
    yield "neither", pairs.longer == 0


def _by_turns(pairs: MeasuredPairs) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for count in range(_MANY_TURNS):
        yield str(count), pairs.turns == count
    yield f"{_MANY_TURNS} and more", pairs.turns >= _MANY_TURNS


def _by_prompt(pairs: MeasuredPairs) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Four parts with about as many pairs each; pairs of one length are in one part."""
    bounds = np.unique(np.quantile(pairs.prompt_tokens, np.linspace(0, 1, _PARTS + 1)[1:], method="lower"))
    low = int(pairs.prompt_tokens.min())
    for bound in bounds:
        high = int(bound)
        yield f"{low}–{high}" if low < high else str(high), (low <= pairs.prompt_tokens) & (pairs.prompt_tokens <= high)
        low = high + 1


def _rules(pairs: MeasuredPairs, seed: int) -> Iterator[Rule]:
    yield Rule("the longer completion", mean_over_prompts(preferred(pairs.longer), pairs.prompts, seed=seed))
    yield Rule("the shorter completion", mean_over_prompts(preferred(-pairs.longer), pairs.prompts, seed=seed))
    likelier = pairs.reference_logp
    if likelier is not None:
        points = preferred(likelier[:, 0] - likelier[:, 1])
        yield Rule("the likelier under the reference", mean_over_prompts(points, pairs.prompts, seed=seed))
