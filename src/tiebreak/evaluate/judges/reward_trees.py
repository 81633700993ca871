"""Scores of a reward model by tree batches: a prompt is read once for all of its answers, where that is right.

Whether it is right is found out on the texts themselves. What speaks against it is said once, and padded batches do
the rest.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from tiebreak.engine.attention import TreesUnsupported
from tiebreak.engine.batch import ScoredGroup, TreeBatch
from tiebreak.engine.end_check import Padded, check_end_scores, compare_longest
from tiebreak.engine.end_scores import end_scores
from tiebreak.engine.microbatch import build_batch, split
from tiebreak.engine.rope import rope_lengths
from tiebreak.engine.score import blocks_of
from tiebreak.process.failures import first_line, is_device_error, named
from tiebreak.process.memory import unless_memory_runs_out

if TYPE_CHECKING:
    from transformers import PreTrainedModel

logger = logging.getLogger(__name__)

Ids = Sequence[int]


@dataclass(frozen=True)
class Bundle:
    """Texts that begin alike: which they are, and their tokens."""

    members: tuple[int, ...]
    group: ScoredGroup


def bundles_of(which: Sequence[int], ids: Mapping[int, Ids], prompts: Sequence[Hashable]) -> list[Bundle]:
    """Texts of one prompt together, parted where their tokens begin to differ.

    Args:
        which: numbers of the texts, each of two tokens at least.
        ids: the tokens of each.
        prompts: the prompt of every text.
    """
    alike: dict[Hashable, list[int]] = {}
    for number in which:
        alike.setdefault(prompts[number], []).append(number)
    made = []
    for members in alike.values():
        texts = [tuple(ids[number]) for number in members]
        shared = min(_begin_alike(texts), min(map(len, texts)) - 1)  # each has a token of its own
        if shared:
            group = ScoredGroup(texts[0][:shared], tuple(text[shared:] for text in texts), members[0])
            made.append(Bundle(tuple(members), group))
        else:
            made += [
                Bundle((number,), ScoredGroup(text[:-1], (text[-1:],), number))
                for number, text in zip(members, texts, strict=True)
            ]
    return made


def _begin_alike(texts: Sequence[tuple[int, ...]]) -> int:
    """How many tokens all texts begin with: as many as the first and the last of them in order."""
    one, other = min(texts), max(texts)
    differing = (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differing, min(len(one), len(other)))


class RewardTrees:
    """Scores by trees, for as long as nothing speaks against them.

    Args:
        name: of the model, for messages.
        model: on its device.
        padded: its scores by plain padded batches, in which the last token of each text is scored.
    Attributes:
        fault: what speaks against trees; empty where nothing does, so far.
        agreement: the largest difference that was seen, as a share of the size of what a score is summed from; None
            where nothing was compared yet.
    """

    def __init__(self, name: str, model: PreTrainedModel, padded: Padded) -> None:
        self._name, self._model, self._padded = name, model, padded
        self._longest = 0  # of the texts that were compared
        self.fault = ""
        self.agreement: float | None = None

    def score(self, bundles: Sequence[Bundle], tokens: int) -> Iterator[tuple[list[int], list[float]]]:
        """Some texts after the other with their scores; it ends early where trees fail.

        Args:
            bundles: of two texts at least.
            tokens: that one batch may have.
        """
        groups = [bundle.group for bundle in bundles]
        if not self._right(groups):
            return
        lengths, done = rope_lengths(self._model), 0
        for block in blocks_of(groups):
            for numbers in split(block, tokens, "tree", lengths):
                scores = self._scores([block[number] for number in numbers])
                if scores is None:
                    return
                yield [member for number in numbers for member in bundles[done + number].members], scores
            done += len(block)

    def _right(self, groups: Sequence[ScoredGroup]) -> bool:
        """Whether trees are right for these texts, as far as it was not found out before."""
        checks = [] if self.agreement is not None else [check_end_scores]
        longest = max(group.longest for group in groups)
        if longest > self._longest:
            checks.append(compare_longest)
        for check in checks:
            if self.fault:
                break
            found = check(self._model, groups, self._padded)
            self.agreement = max(self.agreement or 0.0, found.difference)
            self._give_up(found.fault)
        self._longest = max(self._longest, longest)
        return not self.fault

    def _scores(self, groups: Sequence[ScoredGroup]) -> list[float] | None:
        """The scores of the texts of some groups; None where trees fail."""
        fault = ""
        try:
            found = unless_memory_runs_out(lambda: self._batch(groups))
            # What is no number by trees may be one by padded batches; if it is none there, it is said there.
            fault = "" if found is None or all(map(math.isfinite, found)) else "by trees scores are no numbers"
        except TreesUnsupported as error:
            fault = first_line(error)
        except Exception as error:  # whatever a model's own code raises by trees, its plain form may still be right
            if is_device_error(error):
                raise
            fault = f"trees fail with this model: {named(error)[:160]}"
        else:
            if found is None and len(groups) == 1:
                fault = "memory does not suffice for a tree"
        if fault:
            self._give_up(fault)
            return None
        if found is not None:
            return found
        half = len(groups) // 2
        first = self._scores(groups[:half])
        rest = None if first is None else self._scores(groups[half:])
        return None if first is None or rest is None else [*first, *rest]

    @torch.no_grad()
    def _batch(self, groups: Sequence[ScoredGroup]) -> list[float]:
        batch = build_batch(groups, "tree", self._model.device, rope_lengths(self._model))
        assert isinstance(batch, TreeBatch)
        found: list[float] = end_scores(self._model, batch).score.tolist()
        return found

    def _give_up(self, fault: str) -> None:
        if fault and not self.fault:
            logger.warning("the reward model '%s' goes by padded batches, slower: %s", self._name, fault)
        self.fault = self.fault or fault
