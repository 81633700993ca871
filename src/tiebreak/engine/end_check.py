"""Whether a sequence classifier gives texts the same scores by trees as by plain padded batches, seen on a few of them.

As the self-check of a run: a comparison within what the arithmetic rounds, and an exact look for tokens that have an
influence where they must have none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tiebreak.engine.attention import TreesUnsupported
from tiebreak.engine.batch import ScoredGroup, TreeBatch
from tiebreak.engine.end_scores import end_scores
from tiebreak.engine.influence import leaks_between
from tiebreak.engine.microbatch import build_batch
from tiebreak.engine.rope import rope_lengths
from tiebreak.engine.self_check import TOLERANCE, coarser_arithmetic, look_back_windows, sample_of
from tiebreak.process.failures import first_line, is_device_error, is_out_of_memory, named
from tiebreak.process.memory import unless_memory_runs_out

logger = logging.getLogger(__name__)

Padded = Callable[[Sequence[Sequence[int]]], Tensor]
"""The scores of texts by one padded batch, shape (texts,), from their token ids."""


@dataclass(frozen=True)
class EndCheck:
    """What the check found.

    Attributes:
        fault: why trees are not to be used, for the user; empty where nothing is wrong.
        difference: the largest difference of two scores, as a share of the size of what they are summed from.
    """

    fault: str
    difference: float = 0.0


def check_end_scores(model: PreTrainedModel, groups: Sequence[ScoredGroup], padded: Padded) -> EndCheck:
    """Score a few texts both ways, and look for influence between them.

    Args:
        model: a sequence classifier, on its device.
        groups: the texts, two at least; of equal prompts together.
        padded: scores by plain batches.
    Raises:
        RuntimeError: the GPU failed.
    """

    def check() -> EndCheck:
        sample = sample_of(groups, look_back_windows(model.config.get_text_config()))
        found = _compared(model, sample, padded)
        if not found.fault and leaks_between(model, sample, lambda tree: end_scores(model, tree).score, _last):
            return EndCheck("by trees texts depend on each other", found.difference)
        return found

    found = unless_memory_runs_out(lambda: _without_errors(check))
    return EndCheck("memory does not suffice to try trees") if found is None else found


def compare_longest(model: PreTrainedModel, groups: Sequence[ScoredGroup], padded: Padded) -> EndCheck:
    """Score the longest text uncut both ways: what a model does otherwise from some length on shows there.

    Args, Raises: as for `check_end_scores`.
    """
    longest = max(groups, key=lambda group: group.longest)
    by_length = sorted(longest.completions, key=len, reverse=True)
    # A plain batch takes more memory than a tree: its want is no reason to go by plain batches.
    found = unless_memory_runs_out(
        lambda: _without_errors(lambda: _compared(model, [ScoredGroup(longest.prompt, tuple(by_length[:2]))], padded))
    )
    if found is None:
        logger.warning("the longest text (%d tokens) was not compared: memory does not suffice", longest.longest)
        return EndCheck("")
    return found


def _compared(model: PreTrainedModel, groups: Sequence[ScoredGroup], padded: Padded) -> EndCheck:
    batch = build_batch(groups, "tree", model.device, rope_lengths(model))
    assert isinstance(batch, TreeBatch)
    with torch.no_grad():
        trees = end_scores(model, batch)
        plain = padded([(*group.prompt, *each) for group in groups for each in group.completions])
    least = torch.finfo(trees.size.dtype).tiny
    difference = float(((trees.score - plain).abs() / trees.size.clamp_min(least)).max())
    if not difference <= TOLERANCE[coarser_arithmetic(model, None)]:  # NaN is no agreement
        longest = max(group.longest for group in groups)
        return EndCheck(
            f"by trees scores differ by {difference:.1e} of what they are summed from, in texts of up to "
            f"{longest:,} tokens",
            difference,
        )
    return EndCheck("", difference)


def _last(batch: TreeBatch, sequence: int) -> Tensor:
    return batch.last[sequence]


def _without_errors(check: Callable[[], EndCheck]) -> EndCheck:
    """What a check finds; what a model raises by trees is a fault, and no error. Memory that ran out is passed on."""
    try:
        return check()
    except TreesUnsupported as error:
        return EndCheck(first_line(error))
    except Exception as error:  # whatever a model's own code raises by trees, its plain form may still be right
        if is_device_error(error) or is_out_of_memory(error):
            raise
        return EndCheck(f"trees fail with this model: {named(error)[:160]}")
