"""Scoring many groups without gradients: the reference's log-probs, held-out metrics, evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tiebreak.engine.logprobs import PLAIN, Measures, sequence_logps, unwrapped
from tiebreak.engine.memory import does_not_fit, unless_memory_runs_out
from tiebreak.engine.microbatch import Path, build_batch, split
from tiebreak.engine.products import keeping_copies
from tiebreak.engine.sequences import ScoredGroup

# Groups looked at together when micro-batches are formed; bounds memory, and fixes the split for a given data set.
BLOCK = 256

# Tokens of a micro-batch that is only scored, on each kind of device: fixed, so that what is cached can be shared.
SCORING_TOKENS = {"cpu": 2048, "cuda": 16384}

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Scorer:
    """How a model scores: everything that the numbers depend on besides weights and tokens.

    Attributes:
        path: tree or padded batches.
        autocast: type of the arithmetic; None is the type of the weights.
        budget: tokens a micro-batch may compute.
        measures: what is summed over an ending's tokens.
    """

    path: Path = "tree"
    autocast: torch.dtype | None = None
    budget: int = 2048
    measures: Measures = PLAIN


@dataclass(frozen=True)
class Scores:
    """One row a group, one column an ending.

    Attributes:
        logp: sum of the ending's token log-probabilities, in nats, shape (groups, endings).
        tokens: tokens of the ending, shape (groups, endings).
        mean_logit: mean raw logit at the ending's positions, shape (groups, endings).
    """

    logp: Floats
    tokens: Floats
    mean_logit: Floats


def score_microbatch(model: torch.nn.Module, groups: Sequence[ScoredGroup], scorer: Scorer) -> Floats:
    """Score groups in one forward pass, or in two halves where memory does not suffice for the whole.

    Args:
        model: the model, on its device.
        groups: groups with equally many endings.
        scorer: how to score.
    Returns:
        Shape (3, groups, endings): log-probs, token counts and mean logits.
    Raises:
        RunError: memory does not suffice for a single group.
    """
    scores = unless_memory_runs_out(lambda: _score(model, groups, scorer))
    if scores is not None:
        return scores
    if len(groups) == 1:
        raise does_not_fit(groups, training=False)
    half = len(groups) // 2
    return np.concatenate([score_microbatch(model, part, scorer) for part in (groups[:half], groups[half:])], axis=1)


@torch.no_grad()
def _score(model: torch.nn.Module, groups: Sequence[ScoredGroup], scorer: Scorer) -> Floats:
    device = unwrapped(model).device
    batch = build_batch(groups, scorer.path, device)
    found = sequence_logps(model, batch, autocast=scorer.autocast, measures=scorer.measures.sums_only())
    rows = torch.stack([found.logp, found.tokens, found.mean_logit]).float().cpu().numpy()
    return np.asarray(rows.reshape(3, len(groups), -1), dtype=np.float32)


@keeping_copies()
def score_groups(
    model: torch.nn.Module,
    groups: Sequence[ScoredGroup],
    scorer: Scorer,
    *,
    progress: Callable[[int], None] | None = None,
) -> Scores:
    """Score any number of groups, micro-batch by micro-batch.

    Args:
        model: the model, on its device; its training mode is left alone.
        groups: groups with equally many endings; a lazy sequence is read block by block.
        scorer: how to score.
        progress: called with the number of groups done so far.
    """
    blocks = []
    done = 0
    for block in blocks_of(groups):
        out = np.empty((3, len(block), len(block[0].endings)), dtype=np.float32)
        for members in split(block, scorer.budget, scorer.path):
            out[:, members] = score_microbatch(model, [block[i] for i in members], scorer)
            done += len(members)
            if progress is not None:
                progress(done)
        blocks.append(out)
    joined = np.concatenate(blocks, axis=1) if blocks else np.empty((3, 0, 2), dtype=np.float32)
    return Scores(joined[0], joined[1], joined[2])


def blocks_of(groups: Sequence[ScoredGroup]) -> Iterator[list[ScoredGroup]]:
    """The groups, `BLOCK` at a time."""
    for start in range(0, len(groups), BLOCK):
        yield [groups[i] for i in range(start, min(start + BLOCK, len(groups)))]
